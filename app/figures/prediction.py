"""The likeliest classes of a setting, as bars."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

from lafe.explain.outcome import Outcome
from lafe.render.palette import ACCENT, GRID, INK, RIGHT, SECOND
from lafe.render.text import percent

from .style import LAYOUT

_ROW = 43  # px
_MAX_NAME = 34  # characters


def top_five(
    outcome: Outcome, against: Outcome | None = None, truth: str | None = None
) -> go.Figure:
    """The five likeliest classes; a tick marks what panel A says of the same class."""
    rows = outcome.top(5)
    names = [name for name, _ in rows]
    values = [probability for _, probability in rows]
    places = list(range(len(rows)))
    # Few traces: a visitor waits for this figure after every click.
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "width": 0.3,
            "x": [1] * len(rows) + values,
            "y": places * 2,
            "marker": {"color": [GRID] * len(rows) + _colours(names, truth)},
        },
        {
            "x": [0] * len(rows) + [1] * len(rows),
            "y": [place - 0.37 for place in places] * 2,  # the words stand above the bars
            "mode": "text",
            "text": _labels(names, truth) + [percent(p) for p in values],
            "textposition": ["middle right"] * len(rows) + ["middle left"] * len(rows),
            "cliponaxis": False,
        },
    ]
    if against is not None:
        data.append(
            {
                "x": [against.probability(name) for name in names],
                "y": places,
                "mode": "markers",
                "marker": {"symbol": "line-ns", "size": 8, "line": {"width": 2, "color": INK}},
                "cliponaxis": False,
            }
        )
    return go.Figure(
        data,
        {
            **LAYOUT,
            "height": _ROW * len(rows),
            "margin": {"l": 2, "r": 2, "t": 0, "b": 0},
            "showlegend": False,
            "barmode": "overlay",
            "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
            "yaxis": {
                "range": [len(rows) - 0.75, -0.75],
                "visible": False,
                "fixedrange": True,
            },
        },
    )


def _colours(names: list[str], truth: str | None) -> list[str]:
    first = [ACCENT] + [SECOND] * (len(names) - 1)
    return [RIGHT if name == truth else colour for name, colour in zip(names, first, strict=True)]


def _labels(names: list[str], truth: str | None) -> list[str]:
    short = [n if len(n) <= _MAX_NAME else n[: _MAX_NAME - 1] + "…" for n in names]
    labels = [
        escape(s) + (" (true)" if n == truth else "") for s, n in zip(short, names, strict=True)
    ]
    return [f"<b>{labels[0]}</b>", *labels[1:]]
