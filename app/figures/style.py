"""The style that all Plotly figures share."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from lafe.render.palette import COLOURS, DIVERGING, GRID, INK

_AXIS = {"gridcolor": GRID, "zerolinecolor": GRID}
LAYOUT: dict[str, Any] = {
    "template": go.layout.Template(layout={"xaxis": _AXIS, "yaxis": _AXIS}),
    "plot_bgcolor": "rgba(0,0,0,0)",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": '"Source Sans", sans-serif', "color": INK, "size": 13},
}
SIGNED = [[(1 + at) / 2, f"rgb{colour}"] for at, colour in DIVERGING.items()]
"""Colours for and against a class, as in a map."""

ZERO = {"zeroline": True, "zerolinecolor": INK, "showgrid": True, "gridcolor": GRID}
"""An axis along which bars go both ways."""

BESIDE = {"textposition": "outside", "textangle": 0, "cliponaxis": False, "hoverinfo": "skip"}
"""Bars whose numbers stand beside them."""


def styled(figure: go.Figure, height: int) -> go.Figure:
    """The figure in this project's colours, ``height`` px high, fixed, with room for its words."""
    apart = {"ticklabelstandoff": 4}  # zero of the one axis from zero of the other
    figure.update_xaxes(automargin=True, fixedrange=True, **apart)
    figure.update_yaxes(automargin=True, fixedrange=True, **apart)
    margin = dict.fromkeys("lrtb", 8)
    return figure.update_layout(LAYOUT, height=height, margin=margin)


def css() -> str:
    """A style sheet by which figures are as dark as the page.

    Plotly knows no names of colours, so those that it drew in are looked for.  Left as they are:
    white, which is on colours of maps, and what appears under the mouse.
    """
    return " ".join(
        f'.stPlotlyChart [style*="{what}: rgb({_channels(value)})"]:not(.hoverlayer *) '
        f"{{{what}: var(--{name}) !important}}"
        for name, value in COLOURS.items()
        if name != "paper"
        for what in ("fill", "stroke")
    )


def _channels(colour: str) -> str:
    """Red, green and blue of #rrggbb as a browser writes them."""
    return ", ".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
