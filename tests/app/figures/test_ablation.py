"""The page "Ablation": its figures against the table, and the way to panel B."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import lafe
from app.figures import ablation as figures
from app.figures import worth
from lafe.branches import BRANCHES, STAGES, Switches
from lafe.explain.ablation import Table, factorial
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


@pytest.mark.parametrize("output", list(worth.UNITS))
def test_shown_shapley_values_add_up_to_the_shown_total(table: Table, output: str) -> None:
    values = worth.scaled(table.shapley(2, output), output)
    assert float(values.sum()) == pytest.approx(worth.total(table, 2, output), abs=1e-4)


def test_probabilities_are_shown_as_points(table: Table) -> None:
    values = table.shapley(2, "probability")
    assert torch.equal(worth.scaled(values, "probability"), 100 * values)
    assert torch.equal(worth.scaled(values, "logit"), values)


def test_strongest_pairs_are_the_largest_of_the_matrix(table: Table) -> None:
    matrix = table.interactions(1, "centred").abs().nan_to_num().numpy()
    pairs = worth.strongest_pairs(table, 1, "centred", count=3)
    expected = sorted(np.triu(matrix).flatten(), reverse=True)[:3]
    assert [abs(p.value) for p in pairs] == pytest.approx(expected)
    sides = {(p.first.side, p.second.side) for p in worth.strongest_pairs(table, 1, "logit")}
    assert ("dis", "con") not in sides  # on logits they do not interact
    assert ("con", "dis") not in sides


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


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(20.06, "points", "+20.1"), (-0.948, "points", "−0.9"), (-1.236, "logit", "−1.24")],  # noqa: RUF001
)
def test_values_of_a_unit_have_the_same_decimals(value: float, unit: str, text: str) -> None:
    assert worth.written(value, unit) == text


def test_the_waterfall_ends_at_the_sum_of_its_steps() -> None:
    steps = {"bias": 0.5, "backbone": -1.0, "dis": 4.0, "con": 0.25}
    bars = figures.waterfall(steps).data
    ends = [bar.base[0] + bar.x[0] for bar in bars[:-1]]
    assert ends == pytest.approx([0.5, -0.5, 3.5, 3.75])
    assert bars[-1].x[0] == pytest.approx(3.75)


def test_the_grid_shows_stages_by_branches() -> None:
    values = torch.arange(12.0).view(3, 4)
    heat = figures.shapley_grid(values, "points").data[0]
    assert list(heat.x) == list(BRANCHES)
    assert list(heat.y) == [f"Stage {s}" for s in STAGES]
    assert heat.z[1][2] == 6.0
    assert heat.zmin == -heat.zmax


def test_a_flip_is_a_sentence(table: Table) -> None:
    off = Switches.only("c_con", stages=(5,))
    flip = lafe.Flip(off=off, switches=Switches.all(), prediction=1, probability=0.42)
    said = worth.flip_text(flip, ["Blue Jay", "Cardinal"])
    assert said == "Without c_con at stage 5 this becomes Cardinal (42.0%)."


def test_downloads_hold_the_whole_table(table: Table, tmp_path: Path) -> None:
    frame = table.to_frame(0)
    (tmp_path / "t.parquet").write_bytes(worth.parquet(frame))
    (tmp_path / "t.csv").write_bytes(worth.csv(frame))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame)
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4096
