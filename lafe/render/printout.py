"""A comparison as one HTML file: to read, to print, to send.  It opens with no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lafe.branches import STAGES, Branch, branch_name
from lafe.render import palette
from lafe.render.comparison import OPACITY, Comparison, Panel
from lafe.render.labels import KINDS, MAPS, SIDES, TERMS
from lafe.render.overlay import colour_bar
from lafe.render.pictures import jpeg_url, png_url
from lafe.render.text import number, percent

TOP = 5


def printout(
    comparison: Comparison, opacity: float = OPACITY, versions: Mapping[str, str] | None = None
) -> str:
    """The page.  Every text is escaped, every picture is inside, and no script runs."""
    cards = {panel.card.sha256: panel.card for panel in comparison.panels}
    return _template().render(
        photo=jpeg_url(comparison.photo),
        box=[f"{100 * edge:g}%" for edge in comparison.box],
        whole=comparison.box == (0, 0, 1, 1),
        panels=[_panel(comparison, panel, opacity) for panel in comparison.panels],
        cards=list(cards.values()),
        versions=versions or {},
        colours=palette.css(),
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
                f"{words.name}, {words.verb}",
                KINDS[kind],
                branch_name(kind, side),
                [(stage, panel.switches[Branch(stage, kind, side)]) for stage in STAGES],
            )
            for side, words in SIDES.items()
            for kind in KINDS
        ],
        "terms": [(TERMS[key], number(value, "+.3g")) for key, value in steps.items()],
        "logit": number(panel.evidence.logit, "+.3g"),
    }


def _picture(comparison: Comparison, panel: Panel, key: str, opacity: float) -> _Picture:
    painted, scale = comparison.painted(panel, key, opacity), comparison.scale(key)
    if painted is None or scale is None:
        return _Picture(MAPS[key], None, None)
    (low, high), signed = scale
    values = (low, 0.0, high) if signed else (low, high)
    legend = _Legend(png_url(colour_bar((low, high), signed=signed)), tuple(map(number, values)))
    return _Picture(MAPS[key], jpeg_url(painted), legend)
