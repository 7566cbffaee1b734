"""Plotly figures of the page "Report"."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from lafe.branches import Branch
from lafe.measure.report import Bin
from lafe.measure.sweep import Row
from lafe.render.palette import COLOURS, FAINT, GRID, INK, SECOND
from lafe.render.units import UNITS

from .style import BESIDE, ZERO, styled


def reliability(bins: Sequence[Bin]) -> go.Figure:
    """Accuracy against confidence, a marker a bin, its area by the number of photos."""
    most = max((b.photos for b in bins), default=1)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": SECOND, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[b.confidence for b in bins],
        y=[b.accuracy for b in bins],
        mode="lines+markers",
        cliponaxis=False,
        line={"color": INK, "width": 1},
        marker={
            "size": [6 + 22 * (b.photos / most) ** 0.5 for b in bins], "color": INK,
            "opacity": 0.75,
        },
        customdata=[b.photos for b in bins],
        hovertemplate="%{customdata} photos<br>%{x:.0%} sure<br>%{y:.0%} right<extra></extra>",
    )  # fmt: skip
    axis = {"range": [-0.02, 1.02], "tickformat": ".0%", "gridcolor": GRID}
    figure.update_xaxes(**axis, title="How sure (mean top probability)")
    figure.update_yaxes(**axis, title="How often right")
    figure.update_layout(showlegend=False)
    return styled(figure, 320)


def without_each(top1: dict[str, float], full: float) -> go.Figure:
    """The change of top-1 without each branch, in points, by name (``r_dis3``)."""
    unit = UNITS["probability"]
    changes = [value - full for value in top1.values()]
    sides = [Branch.parse(name).side for name in top1]
    figure = go.Figure(
        go.Bar(
            x=[unit.of(change) for change in changes],
            y=list(top1),
            orientation="h",
            marker_color=[COLOURS[side] for side in sides],
            text=[unit.text(change) for change in changes],
            textfont={"color": [FAINT if unit.is_nothing(c) else INK for c in changes]},
            **BESIDE,
        )
    )
    reach = 1.4 * unit.reach(changes)
    figure.update_xaxes(ZERO, range=[-reach, reach], title="points of top-1")
    figure.update_yaxes(autorange="reversed")
    return styled(figure, 340)


def table_four(rows: Sequence[Row], names: dict[str, str]) -> go.Figure:
    """Top-1 of each trained variant: a dot a seed, a bar at the mean."""
    figure = go.Figure()
    for row in rows:
        figure.add_scatter(
            x=[100 * v for v in row.top1],
            y=[names[row.variant]] * len(row.top1),
            mode="markers",
            marker={"size": 9, "color": SECOND},
            hovertemplate="%{x:.1f} %<extra></extra>",
        )
    figure.add_scatter(
        x=[100 * row.mean for row in rows],
        y=[names[row.variant] for row in rows],
        mode="markers",
        marker={"symbol": "line-ns", "size": 22, "line": {"width": 3, "color": INK}},
        hovertemplate="mean %{x:.1f} %<extra></extra>",
    )
    figure.update_xaxes(title="top-1 on test photos, %", gridcolor=GRID)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(showlegend=False)
    return styled(figure, 90 + 34 * len(rows))
