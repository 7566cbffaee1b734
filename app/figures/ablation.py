"""Plotly figures of the page "Ablation"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from lafe.branches import BRANCHES, EVERY_BRANCH, KINDS, STAGES, branch_name
from lafe.render.labels import SIDES, TERMS
from lafe.render.palette import (
    BACKBONE,
    CHOSEN,
    COLOURS,
    CON,
    DIS,
    FAINT,
    INK,
    PAPER,
    SECOND,
    words_on,
)
from lafe.render.text import percent
from lafe.render.units import UNITS

from .style import BESIDE, SIGNED, ZERO, styled


def shapley_grid(values: Sequence[Sequence[float]], output: str) -> go.Figure:
    """Shapley values (3, 4) of an output as a signed picture, stage by branch."""
    unit = UNITS[output]
    limit = unit.reach(v for row in values for v in row)
    figure = go.Figure(
        go.Heatmap(
            z=[[unit.of(v) for v in row] for row in values],
            x=list(BRANCHES),
            y=[f"Stage {stage}" for stage in STAGES],
            zmin=-limit,
            zmax=limit,
            colorscale=SIGNED,
            text=[[unit.text(v) for v in row] for row in values],
            hoverinfo="skip",
            showscale=False,
            xgap=3,
            ygap=3,
        )
    )
    for stage, row in zip(STAGES, values, strict=True):
        for name, value in zip(BRANCHES, row, strict=True):
            figure.add_annotation(
                x=name,
                y=f"Stage {stage}",
                text=unit.text(value),
                showarrow=False,
                font_color=words_on(unit.of(value) / limit),
            )
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=False)
    figure.update_xaxes(side="top", ticks="", showgrid=False)
    for branch in EVERY_BRANCH[: len(BRANCHES)]:  # the side of each column, in its colour
        i = branch.bit
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=i - 0.48, x1=i + 0.48, y0=-0.04, y1=-0.01,
            fillcolor=COLOURS[branch.side], line_width=0,
        )  # fmt: skip
    return styled(figure, 230)


def shapley_bars(values: Sequence[Sequence[float]], output: str) -> go.Figure:
    """The same values as bars, largest first."""
    unit = UNITS[output]
    flat = [v for row in values for v in row]
    order = sorted(range(len(flat)), key=lambda i: -abs(flat[i]))
    names = [str(EVERY_BRANCH[i]) for i in order]
    figure = go.Figure(
        go.Bar(
            x=[unit.of(flat[i]) for i in order],
            y=names,
            orientation="h",
            marker_color=[COLOURS[EVERY_BRANCH[i].side] for i in order],
            text=[unit.text(flat[i]) for i in order],
            textfont={"color": [FAINT if unit.is_nothing(flat[i]) else INK for i in order]},
            **BESIDE,
        )
    )
    reach = 1.35 * unit.reach(flat)
    figure.update_xaxes(ZERO, range=[-reach, reach], title=unit.name)
    figure.update_yaxes(autorange="reversed")
    return styled(figure, 360)


def waterfall(steps: dict[str, float], total: str = "Logit") -> go.Figure:
    """The terms of a logit, or of a difference of two, and their sum."""
    colours = {"bias": SECOND, "backbone": BACKBONE, "dis": DIS, "con": CON}
    figure = go.Figure()
    start, ends = 0.0, [0.0]
    for key, value in steps.items():
        figure.add_bar(
            x=[value], y=[TERMS[key]], base=[start], orientation="h", marker_color=colours[key],
            text=[UNITS["logit"].text(value)], **BESIDE,
        )  # fmt: skip
        start += value
        ends.append(start)
    room = 0.24 * (max(ends) - min(ends)) or 1  # for numbers beside bars
    figure.add_bar(
        x=[start], y=[f"<b>{total}</b>"], orientation="h", marker_color=INK,
        text=[UNITS["logit"].text(start)], **BESIDE,
    )  # fmt: skip
    low = min(ends) - room if min(ends) < 0 else 0
    figure.update_xaxes(ZERO, range=[low, max(ends) + room])
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(showlegend=False, barmode="overlay")
    return styled(figure, 260)


def every_setting(frame: pd.DataFrame, chosen: int) -> go.Figure:
    """A class's probability over 64 x 64 settings: 4,096 squares that can be clicked."""
    # A heat map has no gaps at any width, but Streamlit hears of clicks on markers only.
    places = {"x": frame["dis"], "y": frame["con"]}
    figure = go.Figure(
        go.Heatmap(
            **places,
            z=frame["probability"],
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            hoverinfo="skip",
            colorbar={
                "title": {"text": "Probability", "side": "top"},
                "orientation": "h", "y": 1, "yanchor": "bottom", "thickness": 10,
                "tickformat": ".0%",
            },
        )
    )  # fmt: skip
    figure.add_scatter(
        **places,
        mode="markers",
        customdata=list(
            zip(
                frame.index, frame["switches"], frame["class"], map(percent, frame["probability"]),
                strict=True,
            )
        ),
        marker={"symbol": "square", "size": 7, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        hovertemplate="%{customdata[1]}<br>%{customdata[3]}<br>"
        "predicts %{customdata[2]}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[frame["dis"][chosen]],
        y=[frame["con"][chosen]],
        mode="markers",
        marker={"symbol": "square-open", "size": 13, "color": CHOSEN, "line": {"width": 3}},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(_blocks("dis"))
    figure.update_yaxes(_blocks("con"), tickangle=-90)
    figure.update_layout(
        showlegend=False,
        clickmode="event+select",
        dragmode=False,
        hoverlabel={"bgcolor": INK, "font": {"color": PAPER}},
    )
    return styled(figure, 620)


def _blocks(side: str) -> dict[str, Any]:
    """Ticks: the setting of stage 5 by blocks of 16; stage 4 and 3 repeat inside each."""
    return {
        "tickvals": [16 * i + 7.5 for i in range(4)],
        "ticktext": ["none", *(branch_name(kind, side) for kind in KINDS), "both"],
        "range": [-0.5, 63.5],
        "title": f"{SIDES[side].name} branches of stage 5 that are on",
        "showgrid": False,
        "zeroline": False,
    }
