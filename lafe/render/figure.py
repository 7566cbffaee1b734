"""A comparison as a figure fit for a paper: photo and overlays, as in the paper's Figure 5."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lafe.render.comparison import OPACITY, Comparison, Panel
from lafe.render.fonts import OWN, family_for
from lafe.render.labels import MAPS
from lafe.render.overlay import colour_bar
from lafe.render.palette import INK
from lafe.render.text import number, percent

FIGURES = ("figure.png", "figure.pdf")
WIDTH = 7.0  # inches: two columns of a paper
DPI = 300

_GAP, _WORDS, _HEAD, _BAR = 0.06, 0.22, 0.24, 0.36  # inches
_COLUMN = (WIDTH - 3 * _GAP) / 4
_TALLEST = 2.4  # inches; a taller picture gets narrower
_MAX_NAME = 60  # characters
TEXT: dict[str, Any] = {
    "fontsize": 8,
    "color": INK,
    "parse_math": False,
}  # names are no mathematics

# matplotlib's settings and its cache of fonts are shared by all threads.
LOCK = threading.Lock()


def render(comparison: Comparison, opacity: float = OPACITY) -> dict[str, bytes]:
    """``figure.png`` (300 dpi) and ``figure.pdf`` (fonts embedded); equal inputs, equal bytes."""
    with LOCK, mpl.rc_context(_style(comparison)):
        figure = draw(comparison, opacity)
        png, pdf = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(pdf, format="pdf", dpi=DPI, metadata={"CreationDate": None})
    return dict(zip(FIGURES, (png.getvalue(), pdf.getvalue()), strict=True))


STYLE: dict[Any, Any] = {"font.family": [OWN], "pdf.fonttype": 42}
"""Fonts are embedded as TrueType."""


def _style(comparison: Comparison) -> dict[Any, Any]:
    """Fonts for what is written; they are embedded, as TrueType unless another one must help.

    Those of other scripts often hold outlines that TrueType has not: these are drawn as they are.
    """
    texts = [_words(panel, several_models=True) for panel in comparison.panels]
    families = dict.fromkeys([OWN, *filter(None, map(family_for, texts))])
    return {"font.family": [*families], "pdf.fonttype": 42 if len(families) == 1 else 3}


def draw(comparison: Comparison, opacity: float = OPACITY) -> Figure:
    """One row a setting: photo, F_5, D, C.  Each column has one scale, printed below it."""
    heights = [
        min(_COLUMN * p.picture.height / p.picture.width, _TALLEST) for p in comparison.panels
    ]
    height = _HEAD + sum(heights) + len(heights) * (_WORDS + _GAP) + _BAR
    figure = Figure((WIDTH, height))
    FigureCanvasAgg(figure)

    def place(column: int, top: float, tall: float) -> Axes:
        left = column * (_COLUMN + _GAP)
        box = (left / WIDTH, 1 - (top + tall) / height, _COLUMN / WIDTH, tall / height)
        axes = figure.add_axes(box)
        axes.set_axis_off()
        return axes

    for column, name in enumerate(("Photo", *MAPS.values())):
        middle = (column * (_COLUMN + _GAP) + _COLUMN / 2) / WIDTH
        figure.text(middle, 1 - 0.6 * _HEAD / height, name, ha="center", va="center", **TEXT)
    top = _HEAD
    for panel, tall in zip(comparison.panels, heights, strict=True):
        words = _words(panel, len({p.card.sha256 for p in comparison.panels}) > 1)
        figure.text(0, 1 - (top + 0.5 * _WORDS) / height, words, va="center", **TEXT)
        top += _WORDS
        place(0, top, tall).imshow(panel.picture)
        for column, key in enumerate(MAPS, 1):
            axes, painted = place(column, top, tall), comparison.painted(panel, key, opacity)
            if painted is None:
                axes.text(0.5, 0.5, "off", ha="center", va="center", **TEXT)
            else:
                axes.imshow(painted)
        top += tall + _GAP
    for column, key in enumerate(MAPS, 1):
        _legend(comparison, key, place(column, top + 0.02, 0.1))
    return figure


def _words(panel: Panel, several_models: bool) -> str:
    name, probability = panel.top(1)[0]
    short = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
    if family_for(short) is None:
        short = f"class {panel.probabilities.argmax()} (no font here has its name)"
    title = panel.model_title
    if family_for(title) is None:
        title = f"model {panel.card.sha256[:8]} (no font here has its name)"
    model = f", {title}" if several_models else ""
    return f"{panel.letter}  {panel.setting}{model}: {short}, {percent(probability)}"


def _legend(comparison: Comparison, key: str, axes: Axes) -> None:
    """The colours of a column, with the values at their ends."""
    scale = comparison.scale(key)
    if scale is None:
        return
    (low, high), signed = scale
    axes.imshow(colour_bar((low, high), signed=signed), aspect="auto", extent=(0, 1, 0, 1))
    ends = [(0, "left", low), (1, "right", high)] + ([(0.5, "center", 0.0)] if signed else [])
    for x, align, value in ends:
        axes.text(x, -0.5, number(value), ha=align, va="top", **TEXT | {"fontsize": 7})
