"""The two objectives: their parts against the model's own forward pass, and the draws."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tiny import CLASSES, VARIANTS, photos, some_settings, tiny_model
from torch import Tensor
from torch.nn import functional as F

import lafe
from lafe import LAFE, PRESETS, Switches
from lafe.branches import EVERY_BRANCH
from lafe.model.losses import ConLoss
from lafe.train.objectives import draw_settings, paper_objective, switched_objective
from lafe.train.recipe import Recipe

RECIPE = Recipe("tiny", "folder", "test_resnet", 96, 96, epochs=1, lr=0.01, smoothing=0.1)
LABELS = torch.tensor([0, 0, 3, 3, 1, 2, 4])  # two pairs, two of other classes, one alone


@pytest.fixture(scope="module")
def model() -> LAFE:
    return tiny_model()


@pytest.fixture(scope="module")
def con() -> ConLoss:
    torch.manual_seed(1)
    return ConLoss(96, CLASSES)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return photos(7)


def by_hand(model: LAFE, con: ConLoss, x: Tensor, s: Switches) -> dict[str, Tensor]:
    """The parts of Eq. 11 from a recorded forward pass, and that of the classifier on D."""
    with lafe.record(model) as r:
        logits = model(x, s)
    gap_D, gap_C = (m.mean((2, 3)) for m in (r.D, r.C))
    return {
        "cls": F.cross_entropy(logits, LABELS, label_smoothing=0.1),
        "dis": ((gap_D[0] - gap_D[1]).abs() + (gap_D[2] - gap_D[3]).abs()).mean() / 2,
        "con": (con.fc(gap_C) - 1).abs().mean(),
        "alone": F.cross_entropy(model.classifier(gap_D), LABELS, label_smoothing=0.1),
    }


def test_the_papers_parts(model: LAFE, con: ConLoss, x: Tensor) -> None:
    expected = by_hand(model, con, x, Switches.all())
    parts = paper_objective(model, con, RECIPE, x, LABELS)
    assert list(parts) == ["cls", "dis", "con"]
    for name, value in parts.items():
        assert torch.allclose(value, expected[name], atol=1e-6), name


@pytest.mark.parametrize("setting", ["all", "no region", "r_con3.c_con4", "none"])
def test_one_setting_for_all_gives_the_papers_parts_and_the_one_of_D(
    model: LAFE, con: ConLoss, x: Tensor, setting: str
) -> None:
    s = Switches.parse(setting)
    expected = by_hand(model, con, x, s)
    recipe = RECIPE.with_changes(alone_loss=0.5)
    parts = switched_objective(model, con, recipe, x, LABELS, [s] * 4)
    assert ("alone" in parts) == any(branch.endswith("dis") for _, branch in s)
    for name, value in parts.items():
        weight = 0.5 if name == "alone" else 1
        assert torch.allclose(value, weight * expected[name], atol=1e-6), name


def test_every_pair_has_a_setting_of_its_own(model: LAFE, con: ConLoss, x: Tensor) -> None:
    settings = [Switches.all(), Switches.only("r_con"), Switches.none(), Switches.only("c_dis")]
    rows = [settings[i // 2] for i in range(7)]
    logits = torch.cat([model(x[i : i + 1], s) for i, s in enumerate(rows)])
    parts = switched_objective(model, con, RECIPE, x, LABELS, settings)
    expected = F.cross_entropy(logits, LABELS, label_smoothing=0.1)
    assert torch.allclose(parts["cls"], expected, atol=1e-6)
    # On D alone: the photos that have one, of the first pair and of the last setting.
    has_D = [0, 1, 6]
    gap = torch.stack([record_of(model, x[i : i + 1], rows[i]).D.mean((2, 3))[0] for i in has_D])
    alone = F.cross_entropy(model.classifier(gap), LABELS[has_D], label_smoothing=0.1)
    assert torch.allclose(parts["alone"], 0.5 * alone, atol=1e-6)


def record_of(model: LAFE, x: Tensor, s: Switches) -> lafe.model.record.Record:  # type: ignore[name-defined]
    with lafe.record(model) as r:
        model(x, s)
    return r


def test_the_recipes_weights_and_what_they_leave_out(model: LAFE, con: ConLoss, x: Tensor) -> None:
    one = paper_objective(model, con, RECIPE, x, LABELS)
    changed = RECIPE.with_changes(dis_loss=0.25, con_loss=3.0)
    other = paper_objective(model, con, changed, x, LABELS)
    assert torch.allclose(other["dis"], 0.25 * one["dis"])
    assert torch.allclose(other["con"], 3 * one["con"])
    assert torch.allclose(other["cls"], one["cls"])
    none = RECIPE.with_changes(dis_loss=0.0, con_loss=0.0, alone_loss=0.0)
    assert list(paper_objective(model, con, none, x, LABELS)) == ["cls"]
    settings = [Switches.all()] * 4
    assert list(switched_objective(model, con, none, x, LABELS, settings)) == ["cls"]


TABLE_4 = [
    {}, {"region": False}, {"fusion": False}, {"dis_loss": 0.0, "con_loss": 0.0},
    {"con_loss": 0.0}, {"attention": False},
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE_4, ids=str)
@pytest.mark.parametrize("objective", ["paper", "switched"])
def test_every_row_of_table_4_can_be_trained(
    row: dict[str, object], objective: str, con: ConLoss, x: Tensor
) -> None:
    recipe = RECIPE.with_changes(**row)
    if objective == "switched" and not recipe.attention:
        pytest.skip("The plain backbone has no switches.")
    options = {k: row[k] for k in ("region", "fusion", "attention") if k in row}
    model = tiny_model(**options).train()
    con.zero_grad()
    if objective == "paper":
        parts = paper_objective(model, con, recipe, x, LABELS)
    else:
        settings = [Switches.all(), *some_settings(3)]
        parts = switched_objective(model, con, recipe, x, LABELS, settings)
    losses = {"dis": recipe.dis_loss, "con": recipe.con_loss}
    for name, weight in losses.items():
        assert (name in parts) == bool(weight and recipe.attention)
    torch.stack(list(parts.values())).sum().backward()
    missing = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not missing
    assert (con.fc.weight.grad is not None) == ("con" in parts)


@pytest.mark.parametrize("variant", ["lafe", "no region attention", "no feature fusion"])
def test_photos_without_a_D_train_nothing_on_D_alone(variant: str, con: ConLoss, x: Tensor) -> None:
    """A variant may lack the very branches that are on."""
    on = {"no region attention": "r_dis345.r_con4", "no feature fusion": "r_dis34.c_con34"}
    model = tiny_model(**VARIANTS[variant])
    setting = Switches.parse(on.get(variant, "none"))
    parts = switched_objective(model, con, RECIPE, x, LABELS, [setting] * 4)
    assert "alone" not in parts


@pytest.mark.parametrize("objective", ["paper", "switched"])
def test_mixed_precision_of_the_trainer_reaches_the_branches(
    objective: str, con: ConLoss, x: Tensor
) -> None:
    model = tiny_model()
    settings = [Switches.all(), *some_settings(3)]
    precision = []
    handle = model.discriminative.fusions["5"].register_forward_hook(  # type: ignore[union-attr]
        lambda module, args, out: precision.append(out.dtype)
    )

    def parts(recipe: Recipe) -> dict[str, Tensor]:
        if objective == "paper":
            return paper_objective(model, con, recipe, x, LABELS)
        return switched_objective(model, con, recipe, x, LABELS, settings)

    full = parts(RECIPE)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = parts(RECIPE)
    head = parts(RECIPE.with_changes(head_bf16=True))
    handle.remove()
    assert precision == [torch.float32, torch.bfloat16, torch.bfloat16]
    for name, value in full.items():
        for other in (mixed[name], head[name]):
            assert other.dtype == torch.float32
            assert float(other) == pytest.approx(float(value), rel=0.05, abs=0.02)


def test_draws_depend_on_seed_and_step_alone() -> None:
    first = draw_settings(3, 17, 8)
    torch.manual_seed(99)
    assert draw_settings(3, 17, 8) == first
    assert draw_settings(3, 17, 5) == first[:5]  # a rank with a smaller batch
    assert draw_settings(3, 18, 8) != first
    assert draw_settings(4, 17, 8) != first


def test_drawing_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    draw_settings(0, 0, 8)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_setting_can_be_drawn_in_the_documented_shares() -> None:
    drawn = Counter(s for step in range(600) for s in draw_settings(0, step, 8))
    n = sum(drawn.values())
    # Coin flips hit any one setting once in 4096: too rarely to show.
    assert drawn[Switches.all()] / n == pytest.approx(1 / 3, abs=0.03)
    assert drawn[Switches.none()] / n == pytest.approx(1 / 6, abs=0.03)
    others = [s for name, s in PRESETS.items() if name not in ("full", "plain backbone")]
    for s in others:
        assert drawn[s] / n == pytest.approx(1 / 4 / len(others), abs=0.02)
    flips = [s for s in drawn.elements() if s not in PRESETS.values()]
    assert len(flips) / n == pytest.approx(1 / 4, abs=0.03)
    for key in EVERY_BRANCH:
        assert sum(s[key] for s in flips) / len(flips) == pytest.approx(1 / 2, abs=0.05)
