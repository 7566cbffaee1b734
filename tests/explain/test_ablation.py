"""The table against forward passes, and what it derives against the definitions."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial as fact

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues
from tiny import CLASSES, photos, some_settings, tiny_model
from torch import Tensor

import lafe
from lafe import BRANCHES, LAFE, STAGES, Controls, Switches
from lafe.branches import EVERY_BRANCH, Branch
from lafe.explain.ablation import OUTPUTS, Table, interactions, shapley


@pytest.fixture(scope="module")
def table(full: LAFE, x: Tensor) -> Table:
    return lafe.factorial(lafe.prepare(full, x))


def test_every_setting_is_that_of_a_forward_pass(model: LAFE, x: Tensor) -> None:
    table = lafe.factorial(lafe.prepare(model, x))
    count = 200 if len(table.rows["dis"].unique()) == 64 else 40  # variants have fewer that differ
    everything = table.all_logits()
    assert everything.shape == (4096, CLASSES)
    with torch.no_grad():
        for s in [Switches.all(), *some_settings(count)]:
            logits = model(x, s)[0]
            torch.testing.assert_close(table.logits(s), logits, atol=1e-4, rtol=0)
            torch.testing.assert_close(everything[s.index].float(), logits, atol=1e-4, rtol=0)


def test_all_off_is_the_plain_backbone(full: LAFE, x: Tensor, table: Table) -> None:
    plain = tiny_model(attention=False)
    plain.backbone.load_state_dict(full.backbone.state_dict())
    plain.classifier.load_state_dict(full.classifier.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(table.logits(Switches.none()), plain(x)[0], atol=1e-4, rtol=0)


def test_settings_differ(table: Table) -> None:
    """Each of the 64 + 64 is another one; else the tests above would show less than they say."""
    assert len(table.terms["dis"].unique(dim=0)) == 64
    assert len(table.terms["con"].unique(dim=0)) == 64


def test_a_prepared_photo_and_controls(full: LAFE, x: Tensor) -> None:
    controls = Controls(Switches.only("r_con"), Switches.only("c_dis"), seed=5)
    photo = lafe.prepare(full, x)
    table = lafe.factorial(photo.under(controls))
    assert table.controls == controls
    learned = lafe.factorial(photo)
    for s in some_settings(20):
        truth = photo.under(controls).logits(s)
        torch.testing.assert_close(table.logits(s), truth, atol=1e-4, rtol=0)
    assert not torch.allclose(table.all_logits(), learned.all_logits(), atol=1e-3)


def test_a_batch_is_done_photo_by_photo(full: LAFE) -> None:
    batch = photos(3)
    tables = list(lafe.factorials(full, batch))
    assert len(tables) == 3
    for one, x in zip(tables, batch, strict=True):
        assert torch.equal(
            one.all_logits(), lafe.factorial(lafe.prepare(full, x[None])).all_logits()
        )


def test_bfloat16(full: LAFE, x: Tensor) -> None:
    """0.05 of the largest logit: the forward pass itself keeps eight bits."""
    half = tiny_model().bfloat16()
    table = lafe.factorial(lafe.prepare(half, x.bfloat16()))
    with torch.no_grad():
        for s in some_settings(20):
            logits = half(x.bfloat16(), s)[0].float()
            worst = (table.logits(s) - logits).abs().max()
            assert worst < 0.05 * logits.abs().max()


def test_outputs_by_hand(table: Table) -> None:
    s = Switches.parse("r_dis3.c_con45")
    logits = table.logits(s).double().numpy()
    at = {output: float(table.values(2, output)[s.index]) for output in OUTPUTS}
    assert at["logit"] == pytest.approx(logits[2], abs=1e-5)
    assert at["centred"] == pytest.approx(logits[2] - logits.mean(), abs=1e-5)
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert at["probability"] == pytest.approx(softmax[2], abs=1e-6)
    assert torch.equal(table.probabilities(2), table.values(2))
    with pytest.raises(ValueError, match="no output 'odds'"):
        table.values(2, "odds")
    with pytest.raises(ValueError, match="no class 5"):
        table.shapley(CLASSES)


def value_of(table: Table, target: int, output: str) -> dict[frozenset[Branch], float]:
    """Coalition -> value, from single settings."""
    found = {}
    for i in range(4096):
        logits = table.logits(Switches(i)).double()
        value = {
            "logit": logits[target],
            "centred": logits[target] - logits.mean(),
            "probability": logits.softmax(0)[target],
        }[output]
        found[frozenset(Switches(i))] = float(value)
    return found


@pytest.mark.parametrize("output", OUTPUTS)
def test_shapley_values_by_definition(table: Table, output: str) -> None:
    v, n = value_of(table, 1, output), len(EVERY_BRANCH)
    found = table.shapley(1, output)
    for key in EVERY_BRANCH:
        others = [k for k in EVERY_BRANCH if k != key]
        truth = 0.0
        for size in range(n):
            weight = fact(size) * fact(n - size - 1) / fact(n)
            for group in combinations(others, size):
                without = frozenset(group)
                truth += weight * (v[without | {key}] - v[without])
        place = STAGES.index(key.stage), BRANCHES.index(key.name)
        assert float(found[place]) == pytest.approx(truth, abs=1e-6)
    values = table.values(1, output)
    assert float(found.sum()) == pytest.approx(float(values[-1] - values[0]), abs=1e-9)
    assert found.abs().min() > 1e-6


def test_interactions_by_definition(table: Table) -> None:
    v, n = value_of(table, 1, "probability"), len(EVERY_BRANCH)
    found = table.interactions(1)
    assert torch.isnan(found.diagonal()).all()
    pairs = [
        ("r_dis3", "c_dis3"),
        ("r_dis5", "c_con5"),
        ("r_con4", "c_con3"),
    ]
    for a, b in (map(Branch.parse, pair) for pair in pairs):
        others = [k for k in EVERY_BRANCH if k not in (a, b)]
        truth = 0.0
        for size in range(n - 1):
            weight = fact(size) * fact(n - size - 2) / fact(n - 1)
            for group in combinations(others, size):
                s = frozenset(group)
                truth += weight * (v[s | {a, b}] - v[s | {a}] - v[s | {b}] + v[s])
        i, j = EVERY_BRANCH.index(a), EVERY_BRANCH.index(b)
        assert float(found[i, j]) == pytest.approx(truth, abs=1e-6)
        assert float(found[j, i]) == pytest.approx(truth, abs=1e-6)
        assert abs(truth) > 1e-5


def test_on_logits_dis_and_con_do_not_interact(table: Table) -> None:
    dis = [i for i, b in enumerate(EVERY_BRANCH) if b.side == "dis"]
    con = [i for i, b in enumerate(EVERY_BRANCH) if b.side == "con"]
    for output in ("logit", "centred"):
        found = table.interactions(1, output)
        assert found[dis][:, con].abs().max() < 1e-10
        assert found[dis][:, dis].nan_to_num().abs().max() > 1e-3
    assert table.interactions(1)[dis][:, con].abs().max() > 1e-4


@pytest.mark.parametrize("output", OUTPUTS)
def test_shapley_values_add_up_to_all_branches_minus_none(table: Table, output: str) -> None:
    full, none = (table.values(2, output)[s.index] for s in (Switches.all(), Switches.none()))
    assert table.total(2, output) == pytest.approx(float(full - none))
    assert float(table.shapley(2, output).sum()) == pytest.approx(table.total(2, output), abs=1e-6)


def test_strongest_pairs_are_the_largest_of_the_matrix(table: Table) -> None:
    matrix = table.interactions(1, "centred").abs().nan_to_num().numpy()
    pairs = table.strongest_pairs(1, "centred", count=3)
    expected = sorted(np.triu(matrix).flatten(), reverse=True)[:3]
    assert [abs(pair.value) for pair in pairs] == pytest.approx(expected)
    sides = {(p.first.side, p.second.side) for p in table.strongest_pairs(1, "logit", count=66)}
    assert ("dis", "con") not in sides  # on logits they do not interact
    assert ("con", "dis") not in sides


def test_any_game_by_all_orders() -> None:
    """Four players with random values: the mean marginal value over the 24 orders."""
    values = torch.randn(16, generator=torch.Generator().manual_seed(0)).double()
    truth = torch.zeros(4).double()
    for order in permutations(range(4)):
        before = 0
        for player in order:
            truth[player] += (values[before | 1 << player] - values[before]) / 24
            before |= 1 << player
    torch.testing.assert_close(shapley(values), truth)
    assert torch.isnan(interactions(values).diagonal()).all()


def test_captum_agrees_on_four_groups(full: LAFE, x: Tensor, table: Table) -> None:
    """The branches as four players, by kind: Captum walks all orders of forward passes."""

    def forward(mask: Tensor) -> Tensor:
        on = [key for key, m in zip(EVERY_BRANCH, mask[0].tolist(), strict=True) if m]
        setting = Switches.only(*on)
        with torch.no_grad():
            return full(x, setting).softmax(1)[:, 1]

    kinds = torch.tensor([[BRANCHES.index(branch.name) for branch in EVERY_BRANCH]])
    theirs = ShapleyValues(forward).attribute(torch.ones(1, 12), feature_mask=kinds)[0, :4]
    groups = [[b for i, b in enumerate(BRANCHES) if mask >> i & 1] for mask in range(16)]
    coalitions = [Switches.only(*group).index for group in groups]
    ours = shapley(table.probabilities(1)[coalitions])
    torch.testing.assert_close(ours.float(), theirs.float(), atol=1e-5, rtol=0)
    assert ours.abs().min() > 1e-4


def test_branches_that_do_not_exist_are_worth_nothing(x: Tensor) -> None:
    no_region = lafe.factorial(lafe.prepare(tiny_model(region=False), x)).shapley(1)
    assert no_region[:, [0, 1]].abs().max() < 1e-12
    assert no_region[:, [2, 3]].abs().min() > 1e-6
    no_fusion = lafe.factorial(lafe.prepare(tiny_model(fusion=False), x)).shapley(1)
    assert no_fusion[:2].abs().max() < 1e-12
    assert no_fusion[2].abs().min() > 1e-6


@pytest.mark.parametrize(("seed", "fewest"), [(0, 1), (2, 2)])
def test_flips_by_trying(x: Tensor, seed: int, fewest: int) -> None:
    model = tiny_model(seed)
    flips = lafe.factorial(lafe.prepare(model, x)).flips()
    photo = lafe.prepare(model, x)
    was = int(photo.logits(Switches.all()).argmax())
    truth: dict[Switches, tuple[int, float]] = {}
    for size in range(1, fewest + 1):
        assert not truth
        for group in combinations(EVERY_BRANCH, size):
            s = Switches.all()
            for key in group:
                s = s.toggled(key)
            confidence, becomes = photo.logits(s).softmax(0).max(0)
            if becomes != was:
                truth[s] = int(becomes), float(confidence)
    assert {flip.switches: flip.prediction for flip in flips} == {s: t[0] for s, t in truth.items()}
    for flip in flips:
        assert len(flip.off) == fewest
        assert set(flip.off).isdisjoint(flip.switches)
        assert flip.probability == pytest.approx(truth[flip.switches][1], abs=1e-5)
    surest = [flip.probability for flip in flips]
    assert surest == sorted(surest, reverse=True)


def test_no_flips(x: Tensor) -> None:
    table = lafe.factorial(lafe.prepare(tiny_model(seed=5), x))
    assert len(table.predictions().unique()) == 1
    assert table.flips() == []


def test_the_frame_has_every_setting(table: Table) -> None:
    frame = table.to_frame(target=2)
    assert len(frame) == 4096
    for s in [Switches.none(), Switches.all(), *some_settings(20)]:
        row, logits = frame.loc[s.index], table.logits(s)
        assert Switches.parse(row["switches"]) == s
        assert {b for b in EVERY_BRANCH if row[str(b)]} == set(s)
        assert row["prediction"] == int(logits.argmax())
        assert row["confidence"] == pytest.approx(float(logits.softmax(0).max()), abs=1e-6)
        assert row["logit"] == pytest.approx(float(logits[2]), abs=1e-5)
        assert row["centred"] == pytest.approx(float(logits[2] - logits.mean()), abs=1e-5)
        assert row["probability"] == pytest.approx(float(logits.softmax(0)[2]), abs=1e-6)
    # A row and a column of the 64 x 64 picture share the settings of one side.
    for side, branches in (("dis", ("r_dis", "c_dis")), ("con", ("r_con", "c_con"))):
        keys = [f"{b}{s}" for s in STAGES for b in branches]
        assert frame[side].nunique() == 64
        assert (frame.groupby(side)[keys].nunique() == 1).all(axis=None)
    assert frame[["dis", "con"]].drop_duplicates().shape[0] == 4096
    full = table.to_frame()
    assert full["logit"].iloc[-1] == pytest.approx(
        float(table.logits(Switches.all()).max()), abs=1e-5
    )
