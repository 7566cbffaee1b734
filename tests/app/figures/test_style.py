"""Figures are as dark as the page: no colour of theirs is missed."""

from __future__ import annotations

import re

import plotly.graph_objects as go
import pytest
import torch

from app.figures import ablation, curves, report, style
from lafe.branches import EVERY_BRANCH, SIDES
from lafe.explain.ablation import Table
from lafe.explain.attribution.methods import METHODS
from lafe.explain.controls import Controls
from lafe.measure.faithfulness.curves import Curves
from lafe.measure.report import Bin
from lafe.measure.sweep import ROWS, Row
from lafe.render import palette

SHAPLEY = [[0.1, -0.2, 0.0, 0.3]] * 3
ORDER = torch.arange(64).repeat(64), torch.arange(64).repeat_interleave(64)
TABLE = Table(
    torch.zeros(2), dict.fromkeys(SIDES, torch.randn(64, 2)), dict(zip(SIDES, ORDER, strict=True)),
    Controls(),
)  # fmt: skip
FRAME = TABLE.to_frame(0).assign(**{"class": "a"})
CURVE = Curves((0.9, 0.5, 0.1), (0.1, 0.5, 0.9))
FIGURES = {
    "shapley grid": ablation.shapley_grid(SHAPLEY, "probability"),
    "shapley bars": ablation.shapley_bars(SHAPLEY, "probability"),
    "waterfall": ablation.waterfall({"bias": -0.1, "backbone": 2, "dis": 1, "con": 0.5}),
    "every setting": ablation.every_setting(FRAME, 7),
    "curves": curves.deletion_or_insertion(dict.fromkeys(METHODS, CURVE), [CURVE], "deletion"),
    "reliability": report.reliability([Bin(5, 0.5, 0.4)]),
    "without each": report.without_each({str(b): 0.8 for b in EVERY_BRANCH}, 0.81),
    "table 4": report.table_four([Row(next(iter(ROWS)), (0.8, 0.9), (0, 1), 1.0)], ROWS),
}
STAY = {palette.PAPER, palette.BLACK, palette.CHOSEN}
"""On colours of maps, which are the same in the dark."""


@pytest.mark.parametrize("name", FIGURES)
def test_every_colour_of_a_figure_follows_the_theme(name: str) -> None:
    figure: go.Figure = FIGURES[name]
    assert figure.layout.template.layout.font.color is None  # not Plotly's own
    for trace in figure.data:
        if "colorscale" in trace:
            trace.colorscale = None  # a map's
    used = set(re.findall(r"#[0-9a-fA-F]{6}", figure.to_json()))
    assert used - STAY <= set(palette.COLOURS.values())


def test_a_colour_is_looked_for_as_browsers_write_it() -> None:
    rule = '.stPlotlyChart [style*="stroke: rgb(0, 114, 178)"]:not(.hoverlayer *) '
    assert palette.DIS == "#0072b2"
    assert rule + "{stroke: var(--dis) !important}" in style.css()
    assert "rgb(255, 255, 255)" not in style.css()
