"""Plotly figures of the page "Ablation"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from torch import Tensor

from lafe.branches import ATTRIBUTES, BRANCHES, EVERY_BRANCH, STAGES
from lafe.render.text import percent

from .worth import written

DIS, CON, BACKBONE, INK = "#0072b2", "#d55e00", "#666666", "#1c252c"
# Purple to green: these signs are for and against a class, and blue and vermilion are taken.
SIGNED = [[0, "#762a83"], [0.25, "#c2a5cf"], [0.5, "#f7f7f7"], [0.75, "#a6dba0"], [1, "#1b7837"]]


def colour_of(branch: str) -> str:
    """One colour for discriminative and one for confusable, everywhere."""
    return DIS if branch.endswith("dis") else CON


def shapley_grid(values: Tensor, unit: str) -> go.Figure:
    """Shapley values (3, 4) as a signed picture, stage by branch."""
    rows = values.tolist()
    limit = max(float(values.abs().max()), 1e-9)
    figure = go.Figure(
        go.Heatmap(
            z=rows,
            x=list(BRANCHES),
            y=[f"Stage {stage}" for stage in STAGES],
            zmin=-limit,
            zmax=limit,
            colorscale=SIGNED,
            text=[[written(v, unit) for v in row] for row in rows],
            texttemplate="%{text}",
            hoverinfo="skip",
            showscale=False,
            xgap=3,
            ygap=3,
        )
    )
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticks="")
    figure.update_xaxes(side="top", fixedrange=True, ticks="")
    for i, branch in enumerate(BRANCHES):  # the side of each column, in its colour
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=i - 0.48, x1=i + 0.48, y0=-0.04, y1=-0.01,
            fillcolor=colour_of(branch), line_width=0,
        )  # fmt: skip
    return styled(figure, 230)


def shapley_bars(values: Tensor, unit: str) -> go.Figure:
    """The same values as bars, largest first."""
    flat = values.flatten().tolist()
    order = sorted(range(len(flat)), key=lambda i: -abs(flat[i]))
    names = [f"{EVERY_BRANCH[i][1]} {EVERY_BRANCH[i][0]}" for i in order]
    figure = go.Figure(
        go.Bar(
            x=[flat[i] for i in order],
            y=names,
            orientation="h",
            marker_color=[colour_of(EVERY_BRANCH[i][1]) for i in order],
            text=[written(flat[i], unit) for i in order],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    reach = max(map(abs, flat), default=0) * 1.35 or 1
    figure.update_xaxes(range=[-reach, reach], zeroline=True, zerolinecolor=INK, title=unit)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(fixedrange=True, showgrid=True, gridcolor="#eceff1")
    figure.update_yaxes(fixedrange=True)
    return styled(figure, 360)


def waterfall(steps: dict[str, float], total: str = "Logit") -> go.Figure:
    """The terms of a logit, or of a difference of two, and their sum."""
    names = {
        "bias": "Bias", "backbone": "Backbone f₅", "dis": "Discriminative +D",
        "con": "Confusable \N{MINUS SIGN}C",
    }  # fmt: skip
    colours = {"bias": "#9fb0bc", "backbone": BACKBONE, "dis": DIS, "con": CON}
    figure = go.Figure()
    start, ends = 0.0, [0.0]
    for key, value in steps.items():
        figure.add_bar(
            x=[value], y=[names[key]], base=[start], orientation="h", marker_color=colours[key],
            text=[written(value, "logit")], textposition="auto", hoverinfo="skip",
        )  # fmt: skip
        start += value
        ends.append(start)
    room = 0.12 * (max(ends) - min(ends)) or 1  # for numbers beside short bars
    figure.add_bar(
        x=[start], y=[f"<b>{total}</b>"], orientation="h", marker_color=INK,
        text=[written(start, "logit")], hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(
        range=[min(ends) - room if min(ends) < 0 else 0, max(ends) + room],
        fixedrange=True, zeroline=True, zerolinecolor=INK, showgrid=True, gridcolor="#eceff1",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", fixedrange=True)
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
        marker={"symbol": "square-open", "size": 13, "color": "#d7191c", "line": {"width": 3}},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(**_blocks("dis"), title="Discriminative branches of stage 5 that are on")
    figure.update_yaxes(
        **_blocks("con"), title="Confusable branches of stage 5 that are on", tickangle=-90
    )
    figure.update_layout(
        showlegend=False,
        clickmode="event+select",
        dragmode=False,
        hoverlabel={"bgcolor": INK, "font": {"color": "#ffffff"}},
    )
    return styled(figure, 620)


def _blocks(side: str) -> dict[str, Any]:
    """Ticks: the setting of stage 5 by blocks of 16; stage 4 and 3 repeat inside each."""
    return {
        "tickvals": [16 * i + 7.5 for i in range(4)],
        "ticktext": ["none", *ATTRIBUTES[side], "both"],
        "range": [-0.5, 63.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
    }


def styled(figure: go.Figure, height: int, margins: Sequence[int] = (8, 8, 8, 8)) -> go.Figure:
    left, right, top, bottom = margins
    figure.update_xaxes(automargin=True)  # labels keep their room
    figure.update_yaxes(automargin=True)
    return figure.update_layout(
        height=height,
        margin={"l": left, "r": right, "t": top, "b": bottom},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": '"Source Sans", sans-serif', "color": INK, "size": 13},
    )
