"""The page "Ablation": its figures against the table, and the way to panel B."""

from pathlib import Path

import pandas as pd
import pytest
import torch

import lafe
from app.figures import ablation as figures
from lafe.branches import BRANCHES, STAGES, Switches
from lafe.explain.ablation import OUTPUTS, Table, factorial
from lafe.explain.prepare import prepare
from lafe.render.text import percent


@pytest.fixture(scope="module")
def model() -> lafe.LAFE:
    torch.manual_seed(0)
    model = lafe.LAFE("test_resnet", 5, 64).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
    torch.nn.init.normal_(model.classifier.weight)
    return model


@pytest.fixture(scope="module")
def table(model: lafe.LAFE) -> Table:
    return factorial(
        prepare(model, torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    )


@pytest.mark.parametrize("output", OUTPUTS)
def test_bars_and_squares_show_the_same_values_in_the_unit(table: Table, output: str) -> None:
    values = table.shapley(2, output).tolist()
    grid = figures.shapley_grid(values, output).data[0]
    bars = figures.shapley_bars(values, output).data[0]
    factor = 100 if output == "probability" else 1  # percentage points
    assert grid.z[1][2] == pytest.approx(factor * values[1][2])
    assert sum(bars.x) == pytest.approx(factor * table.total(2, output), abs=1e-4)
    assert sorted(bars.x, key=abs, reverse=True) == list(bars.x)
    assert {*bars.text} == {text for row in grid.text for text in row}


def test_the_picture_places_every_setting_once(table: Table) -> None:
    frame = table.to_frame(0).assign(**{"class": "x"})
    heat, squares, chosen = figures.every_setting(frame, chosen=7).data
    assert len({*zip(squares.x, squares.y, strict=True)}) == 4096
    index, text, _, said = squares.customdata[1234]
    assert Switches.parse(text) == Switches.from_index(index)
    assert said == percent(float(table.probabilities(0)[index]))
    place = squares.x[1234], squares.y[1234]
    below = [(heat.x[i], heat.y[i]) for i in range(4096)].index(place)
    assert heat.z[below] == pytest.approx(float(table.probabilities(0)[index]))
    assert (chosen.x[0], chosen.y[0]) == (frame["dis"][7], frame["con"][7])


def test_the_waterfall_ends_at_the_sum_of_its_steps() -> None:
    steps = {"bias": 0.5, "backbone": -1.0, "dis": 4.0, "con": 0.25}
    bars = figures.waterfall(steps).data
    ends = [bar.base[0] + bar.x[0] for bar in bars[:-1]]
    assert ends == pytest.approx([0.5, -0.5, 3.5, 3.75])
    assert bars[-1].x[0] == pytest.approx(3.75)


def test_the_grid_shows_stages_by_branches() -> None:
    values = torch.arange(12.0).view(3, 4).tolist()
    heat = figures.shapley_grid(values, "logit").data[0]
    assert list(heat.x) == list(BRANCHES)
    assert list(heat.y) == [f"Stage {s}" for s in STAGES]
    assert heat.z[1][2] == 6.0
    assert heat.zmin == -heat.zmax


def test_downloads_hold_the_whole_table(table: Table, tmp_path: Path) -> None:
    frame = table.to_frame(0)
    (tmp_path / "t.parquet").write_bytes(frame.to_parquet())
    (tmp_path / "t.csv").write_bytes(frame.to_csv().encode())
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame)
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4096
