"""Plotly figures."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

from app.outcome import Outcome

INK, QUIET, TRUTH = "#1f3a4d", "#9fb0bc", "#00674f"
_TEXT = "#1c252c"
_ROW = 43
_MAX_NAME = 34


def top_five(
    outcome: Outcome, against: Outcome | None = None, truth: str | None = None
) -> go.Figure:
    """The five likeliest classes; a tick marks what panel A says of the same class."""
    rows = list(enumerate(outcome.top(5)))
    names = [name for _, (name, _) in rows]
    values = [p for _, (_, p) in rows]
    places = [place for place, _ in rows]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=places,
            orientation="h",
            width=0.3,
            marker_color=[TRUTH if n == truth else INK if p == 0 else QUIET
                          for p, n in enumerate(names)],
            hoverinfo="skip",
        )
    )  # fmt: skip
    if against is not None:
        ticks = [(against.probability(name), place) for place, name in enumerate(names)]
        known = [(p, place) for p, place in ticks if p is not None]
        figure.add_scatter(
            x=[p for p, _ in known],
            y=[place for _, place in known],
            mode="markers",
            marker={"symbol": "line-ns", "size": 8, "line": {"width": 2, "color": _TEXT}},
            hovertemplate="A: %{x:.1%}<extra></extra>",
        )
    for place, (name, probability) in rows:
        mark = " (true)" if name == truth else ""
        short = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
        common: dict[str, Any] = {"y": place, "yshift": 16, "showarrow": False}
        text = f"<b>{escape(short)}</b>" if place == 0 else escape(short)
        figure.add_annotation(x=0, xanchor="left", xshift=-3, text=text + mark, **common)
        figure.add_annotation(x=1, xanchor="right", text=f"{probability:.1%}", **common)
    figure.update_layout(
        height=_ROW * len(rows),
        margin={"l": 2, "r": 2, "t": 0, "b": 0},
        showlegend=False,
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": '"Source Sans", sans-serif', "color": _TEXT, "size": 13},
        xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
        yaxis={"range": [len(rows) - 0.75, -0.75], "visible": False, "fixedrange": True},
        bargap=0,
        shapes=[
            {"type": "rect", "x0": 0, "x1": 1, "y0": place - 0.15, "y1": place + 0.15,
             "fillcolor": "#eceff1", "line": {"width": 0}, "layer": "below"}
            for place in places
        ],
    )  # fmt: skip
    return figure
