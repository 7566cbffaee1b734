"""The style that all Plotly figures share."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from lafe.render.palette import DIVERGING, GRID, INK

LAYOUT: dict[str, Any] = {
    "plot_bgcolor": "rgba(0,0,0,0)",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": '"Source Sans", sans-serif', "color": INK, "size": 13},
}
SIGNED = [[(1 + at) / 2, f"rgb{colour}"] for at, colour in DIVERGING.items()]
"""Colours for and against a class, as in a map."""

ZERO = {"zeroline": True, "zerolinecolor": INK, "showgrid": True, "gridcolor": GRID}
"""An axis along which bars go both ways."""


def styled(figure: go.Figure, height: int) -> go.Figure:
    """The figure in this project's colours, ``height`` px high, fixed, with room for its words."""
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    margin = dict.fromkeys("lrtb", 8)
    return figure.update_layout(LAYOUT, height=height, margin=margin)
