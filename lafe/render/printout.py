"""A comparison as one HTML file: to read, to print, to send.  It opens with no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from lafe.branches import ATTRIBUTES, STAGES
from lafe.render.comparison import MAPS, OPACITY, Comparison, Panel
from lafe.render.overlay import RGB, colour_bar
from lafe.render.text import number, percent

TOP = 5
_TERMS = {
    "bias": "Bias",
    "backbone": "Backbone f₅",
    "dis": "Discriminative +D",
    "con": "Confusable \N{MINUS SIGN}C",
}
_SIDES = {"dis": "Discriminative, added", "con": "Confusable, subtracted"}
_KINDS = {"r": "Region", "c": "Channel"}


def printout(
    comparison: Comparison, opacity: float = OPACITY, versions: Mapping[str, str] | None = None
) -> str:
    """The page.  Every text is escaped, every picture is inside, and no script runs."""
    cards = {panel.card.sha256: panel.card for panel in comparison.panels}
    return _template().render(
        photo=_jpeg(comparison.photo),
        box=[f"{100 * edge:g}%" for edge in comparison.box],
        whole=comparison.box == (0, 0, 1, 1),
        panels=[_panel(comparison, panel, opacity) for panel in comparison.panels],
        cards=list(cards.values()),
        versions=versions or {},
    )


@dataclass(frozen=True)
class _Picture:
    name: str
    url: str | None
    legend: _Legend | None


@dataclass(frozen=True)
class _Legend:
    url: str
    ends: tuple[str, ...]


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lafe.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("printout.html")


def _panel(comparison: Comparison, panel: Panel, opacity: float) -> dict[str, object]:
    steps = panel.evidence.steps
    return {
        "letter": panel.letter,
        "setting": panel.setting,
        "model": panel.model_title,
        "familiar": panel.familiar,
        "top": [(name, f"{100 * p:.2f}%", percent(p)) for name, p in panel.top(TOP)],
        "pictures": [_picture(comparison, panel, key, opacity) for key in MAPS],
        "switches": [
            (
                _SIDES[side],
                _KINDS[branch[0]],
                branch,
                [(stage, panel.switches[stage, branch]) for stage in STAGES],
            )
            for side, branches in ATTRIBUTES.items()
            for branch in branches
        ],
        "terms": [(_TERMS[key], number(value, "+.3g")) for key, value in steps.items()],
        "logit": number(panel.evidence.logit, "+.3g"),
    }


def _picture(comparison: Comparison, panel: Panel, key: str, opacity: float) -> _Picture:
    painted, scale = comparison.painted(panel, key, opacity), comparison.scale(key)
    if painted is None or scale is None:
        return _Picture(MAPS[key], None, None)
    (low, high), signed = scale
    values = (low, 0.0, high) if signed else (low, high)
    legend = _Legend(_png(colour_bar((low, high), signed=signed)), tuple(map(number, values)))
    return _Picture(MAPS[key], _jpeg(Image.fromarray(painted)), legend)


def _jpeg(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((640, 640))
    out = BytesIO()
    small.save(out, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _png(pixels: RGB) -> str:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
