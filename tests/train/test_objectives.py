"""The objectives: their parts against the model's own forward pass, and the draws."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tiny import CLASSES, VARIANTS, photos, some_settings, tiny_model
from torch import Tensor
from torch.nn import functional as F

import lafe
from lafe import LAFE, PRESETS, Switches
from lafe.branches import EVERY_BRANCH, Branch
from lafe.model.losses import ConLoss
from lafe.train import objectives
from lafe.train.objectives import OBJECTIVES, Draw, draw, loss_parts
from lafe.train.recipe import Recipe

RECIPE = Recipe("tiny", "folder", "test_resnet", 96, 96, epochs=1, lr=0.01, smoothing=0.1,
                objective="paper")  # fmt: skip
SWITCHED = RECIPE.with_changes(objective="switched")
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


def drawn(*settings: Switches, shift: float = 0.0, first: int = 3) -> Draw:
    return Draw(settings, shift, first)


ALL = drawn(*[Switches.all()] * 4)


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
    parts = loss_parts(model, con, RECIPE, x, LABELS, ALL)
    assert list(parts) == ["cls", "dis", "con"]
    for name, value in parts.items():
        assert torch.allclose(value, expected[name], atol=1e-6), name


@pytest.mark.parametrize("setting", ["all", "no region", "r_con3.c_con4", "none"])
def test_one_setting_for_all_gives_the_papers_parts_and_the_one_of_D(
    model: LAFE, con: ConLoss, x: Tensor, setting: str
) -> None:
    s = Switches.parse(setting)
    expected = by_hand(model, con, x, s)
    recipe = SWITCHED.with_changes(alone_loss=0.5)
    parts = loss_parts(model, con, recipe, x, LABELS, drawn(*[s] * 4))
    assert ("alone" in parts) == any(branch.side == "dis" for branch in s)
    for name, value in parts.items():
        weight = 0.5 if name == "alone" else 1
        assert torch.allclose(value, weight * expected[name], atol=1e-6), name


def test_every_pair_has_a_setting_of_its_own(model: LAFE, con: ConLoss, x: Tensor) -> None:
    settings = [Switches.all(), Switches.only("r_con"), Switches.none(), Switches.only("c_dis")]
    rows = [settings[i // 2] for i in range(7)]
    logits = torch.cat([model(x[i : i + 1], s) for i, s in enumerate(rows)])
    parts = loss_parts(model, con, SWITCHED, x, LABELS, drawn(*settings))
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
    one = loss_parts(model, con, RECIPE, x, LABELS, ALL)
    changed = RECIPE.with_changes(dis_loss=0.25, con_loss=3.0)
    other = loss_parts(model, con, changed, x, LABELS, ALL)
    assert torch.allclose(other["dis"], 0.25 * one["dis"])
    assert torch.allclose(other["con"], 3 * one["con"])
    assert torch.allclose(other["cls"], one["cls"])
    none = RECIPE.with_changes(dis_loss=0.0, con_loss=0.0, alone_loss=0.0)
    assert list(loss_parts(model, con, none, x, LABELS, ALL)) == ["cls"]
    of = none.with_changes(objective="switched")
    assert list(loss_parts(model, con, of, x, LABELS, ALL)) == ["cls"]


TABLE_4 = [
    {}, {"region": False}, {"fusion": False}, {"dis_loss": 0.0, "con_loss": 0.0},
    {"con_loss": 0.0}, {"attention": False},
]  # fmt: skip


ATTENTIVE = RECIPE.with_changes(
    objective="attentive", counterfactual_loss=0.7, overlap_loss=0.3, correlation_loss=0.2,
    subtraction_loss=0.6, con_loss=0.0,
)  # fmt: skip


@pytest.mark.parametrize("row", TABLE_4, ids=str)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_row_of_table_4_can_be_trained(
    row: dict[str, object], objective: str, con: ConLoss, x: Tensor
) -> None:
    recipe = (ATTENTIVE if objective == "attentive" else RECIPE).with_changes(
        objective=objective, **row
    )
    options = {k: row[k] for k in ("region", "fusion", "attention") if k in row}
    model = tiny_model(**options).train()
    con.zero_grad()
    drawing = drawn(Switches.all(), *some_settings(3))
    parts = loss_parts(model, con, recipe, x, LABELS, drawing)
    losses = {"dis": recipe.dis_loss, "con": recipe.con_loss}
    for name, weight in losses.items():
        assert (name in parts) == bool(weight and recipe.attention)
    torch.stack(list(parts.values())).sum().backward()
    missing = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not missing
    assert (con.fc.weight.grad is not None) == ("con" in parts)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_features_stand_for_photos(objective: str, con: ConLoss, x: Tensor) -> None:
    model = tiny_model()
    drawing = drawn(Switches.all(), *some_settings(3))
    recipe = (ATTENTIVE if objective == "attentive" else RECIPE).with_changes(objective=objective)
    of_photos = loss_parts(model, con, recipe, x, LABELS, drawing)
    of_features = loss_parts(model, con, recipe, model.features(x), LABELS, drawing)
    assert of_features.keys() == of_photos.keys()
    for name, value in of_photos.items():
        assert torch.allclose(of_features[name], value), name


@pytest.mark.parametrize("variant", ["lafe", "no region attention", "no feature fusion"])
def test_photos_without_a_D_train_nothing_on_D_alone(variant: str, con: ConLoss, x: Tensor) -> None:
    """A variant may lack the very branches that are on."""
    on = {"no region attention": "r_dis345.r_con4", "no feature fusion": "r_dis34.c_con34"}
    model = tiny_model(**VARIANTS[variant])
    setting = Switches.parse(on.get(variant, "none"))
    parts = loss_parts(model, con, SWITCHED, x, LABELS, drawn(*[setting] * 4))
    assert "alone" not in parts


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_mixed_precision_of_the_trainer_reaches_the_branches(
    objective: str, con: ConLoss, x: Tensor
) -> None:
    model = tiny_model()
    drawing = drawn(Switches.all(), *some_settings(3))
    recipe = (ATTENTIVE if objective == "attentive" else RECIPE).with_changes(objective=objective)
    precision = []
    handle = (
        model.sides["dis"]
        .fusions["5"]
        .register_forward_hook(lambda module, args, out: precision.append(out[0].dtype))
    )

    def parts(recipe: Recipe) -> dict[str, Tensor]:
        return loss_parts(model, con, recipe, x, LABELS, drawing)

    full = parts(recipe)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = parts(recipe)
    head = parts(recipe.with_changes(head_bf16=True))
    handle.remove()
    calls = len(precision) // 3
    expected = [torch.float32, torch.bfloat16, torch.bfloat16]
    assert precision == [each for each in expected for _ in range(calls)]
    for name, value in full.items():
        for other in (mixed[name], head[name]):
            assert other.dtype == torch.float32
            assert float(other) == pytest.approx(float(value), rel=0.05, abs=0.02)


MILD = ATTENTIVE.with_changes(switch_share=0.4)


@pytest.mark.parametrize("recipe", [SWITCHED, MILD], ids=["switched", "attentive"])
def test_draws_depend_on_seed_and_step_alone(recipe: Recipe) -> None:
    recipe = recipe.with_changes(seed=3)
    first = draw(recipe, 17, 8)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert draw(recipe, 17, 8) == first
    assert torch.equal(torch.get_rng_state(), before)
    shorter = draw(recipe, 17, 5)  # a rank with a smaller batch
    assert shorter == Draw(first.settings[:5], first.shift, first.first)
    assert draw(recipe, 18, 8) != first
    assert draw(recipe.with_changes(seed=4), 17, 8) != first


def test_every_setting_can_be_drawn_in_the_documented_shares() -> None:
    counts = Counter(s for step in range(600) for s in draw(SWITCHED, step, 8).settings)
    n = sum(counts.values())
    # Coin flips hit any one setting once in 4096: too rarely to show.
    assert counts[Switches.all()] / n == pytest.approx(1 / 3, abs=0.03)
    assert counts[Switches.none()] / n == pytest.approx(1 / 6, abs=0.03)
    others = [s for name, s in PRESETS.items() if name not in ("full", "plain backbone")]
    for s in others:
        assert counts[s] / n == pytest.approx(1 / 4 / len(others), abs=0.02)
    flips = [s for s in counts.elements() if s not in PRESETS.values()]
    assert len(flips) / n == pytest.approx(1 / 4, abs=0.03)
    for key in EVERY_BRANCH:
        assert sum(s[key] for s in flips) / len(flips) == pytest.approx(1 / 2, abs=0.05)


def test_a_share_of_the_pairs_has_a_side_off_or_coin_flips() -> None:
    draws = [draw(MILD, step, 8) for step in range(600)]
    counts = Counter(s for d in draws for s in d.settings)
    n = sum(counts.values())
    assert counts[Switches.all()] / n == pytest.approx(0.6, abs=0.03)
    sides = (Switches.only("r_con", "c_con"), Switches.only("r_dis", "c_dis"), Switches.none())
    for s in sides:
        assert counts[s] / n == pytest.approx(0.1, abs=0.02)
    flips = [s for s in counts.elements() if s not in (Switches.all(), *sides)]
    assert len(flips) / n == pytest.approx(0.1, abs=0.02)
    for key in EVERY_BRANCH:
        assert sum(s[key] for s in flips) / len(flips) == pytest.approx(1 / 2, abs=0.1)
    assert {s for d in draws for s in d.settings} >= {Switches.all()}
    assert Counter(d.first for d in draws).keys() == {3, 4, 5}
    shifts = torch.tensor([d.shift for d in draws])
    assert 0 <= shifts.min() < 0.05
    assert 0.95 < shifts.max() < 1
    never = draw(ATTENTIVE, 0, 64)
    assert set(never.settings) == {Switches.all()}


@pytest.mark.parametrize("photos", [2, 3, 4, 7, 16])
def test_another_pair_is_never_ones_own(photos: int) -> None:
    for shift in (0.0, 0.3, 0.7, 0.999):
        order = objectives._other_pair(photos, shift).tolist()
        assert sorted(order) == list(range(photos))
        if photos >= 4:
            even = photos // 2 * 2
            assert all(order[i] // 2 != i // 2 for i in range(even))
    # Every other pair has its turn.
    turns = {objectives._other_pair(16, s / 100)[0].item() // 2 for s in range(100)}
    assert turns == set(range(1, 8))


def gates_by_hand(model: LAFE, x: Tensor, order: list[int], first: int) -> tuple[Tensor, Tensor]:
    """GAP(D') and GAP(C'): the paper's equations with other photos' rescaled gates, in loops."""
    features = model.features(x)
    pooled = []
    for a in (model.sides["dis"], model.sides["con"]):
        maps = {}
        for branch, gated in a.branches.items():
            f = features[branch.stage - 3]
            gate, maps[branch] = gated.gate(f), torch.zeros_like(f)
            for i, j in enumerate(order):
                own = branch.stage < first
                mine = gate[i] if own else gate[j] * gate[i].mean() / gate[j].mean()
                maps[branch][i] = mine * f[i]
        pooled.append(a.combine(maps).mean((2, 3)))  # type: ignore[union-attr]
    return pooled[0], pooled[1]


@pytest.mark.parametrize("first", [3, 4, 5])
def test_the_counterfactual_part_asks_what_these_gates_say_that_anothers_do_not(
    model: LAFE, con: ConLoss, x: Tensor, first: int
) -> None:
    order = objectives._other_pair(7, 0.5).tolist()
    D, C = gates_by_hand(model, x, list(range(7)), 3)
    D2, C2 = gates_by_hand(model, x, order, first)
    effect = (D - C - D2 + C2) @ model.classifier.weight.T
    expected = F.cross_entropy(effect, LABELS, label_smoothing=0.1)
    drawing = drawn(*[Switches.all()] * 4, shift=0.5, first=first)
    parts = loss_parts(model, con, ATTENTIVE, x, LABELS, drawing)
    assert torch.allclose(parts["counterfactual"], 0.7 * expected, atol=1e-5)


def test_distilled_targets_mix_the_label_with_what_f5_alone_says(con: ConLoss, x: Tensor) -> None:
    model = tiny_model()
    recipe = ATTENTIVE.with_changes(distillation=0.7, overlap_loss=0.0, correlation_loss=0.0)
    parts = loss_parts(model, con, recipe, x, LABELS, ALL)
    with lafe.record(model) as r, torch.no_grad():
        full, D = model(x), r.D
    plain = model(x, Switches.none()).detach()
    targets = 0.3 * F.one_hot(LABELS, CLASSES) + 0.7 * plain.softmax(1)
    expected = -(targets * full.log_softmax(1)).sum(1).mean()
    assert torch.allclose(parts["cls"], expected, atol=1e-5)
    alone = model.classifier(D.mean((2, 3))).log_softmax(1)
    weight = recipe.alone_loss
    assert torch.allclose(parts["alone"], -weight * (targets * alone).sum(1).mean(), atol=1e-5)
    # The teacher is not taught: with all off, nothing is said of the plain logits but by the label.
    off = loss_parts(model, con, recipe, x, LABELS, drawn(*[Switches.none()] * 4))
    model.zero_grad()
    off["cls"].backward()
    gradient = (model(x, Switches.none()).softmax(1).detach() - targets).mean(0)
    assert torch.allclose(model.classifier.bias.grad, gradient, atol=1e-5)


def test_the_counterfactual_part_is_of_photos_that_have_anything_on(
    model: LAFE, con: ConLoss, x: Tensor
) -> None:
    on = drawn(Switches.none(), Switches.none(), Switches.all(), Switches.none())
    order = objectives._other_pair(7, 0.0).tolist()
    D, C = gates_by_hand(model, x, list(range(7)), 3)
    D2, C2 = gates_by_hand(model, x, order, 3)
    effect = ((D - C - D2 + C2) @ model.classifier.weight.T)[4:6]
    expected = F.cross_entropy(effect, LABELS[4:6], label_smoothing=0.1)
    parts = loss_parts(model, con, ATTENTIVE, x, LABELS, on)
    assert torch.allclose(parts["counterfactual"], 0.7 * expected, atol=1e-5)
    nothing = drawn(*[Switches.none()] * 4)
    parts = loss_parts(model, con, ATTENTIVE, x, LABELS, nothing)
    assert parts["counterfactual"] == 0
    assert parts["subtraction"] == 0


def test_other_gates_leave_no_trace_in_the_batch_norms(con: ConLoss, x: Tensor) -> None:
    one, two = tiny_model().train(), tiny_model().train()
    loss_parts(one, con, ATTENTIVE, x, LABELS, ALL)
    loss_parts(two, con, ATTENTIVE.with_changes(counterfactual_loss=0.0), x, LABELS, ALL)
    for key, value in one.state_dict().items():
        if "num_batches" not in key:
            assert torch.equal(value, two.state_dict()[key]), key


def test_the_overlap_part_compares_the_gates_of_the_sides(
    model: LAFE, con: ConLoss, x: Tensor
) -> None:
    features = model.features(x)
    total = 0.0
    for stage in (3, 4, 5):
        f = features[stage - 3]
        for i in range(7):
            pair = [
                [a.branches[Branch(stage, kind, side)].gate(f)[i].flatten() for kind in "rc"]
                for side, a in model.sides.items()
            ]
            (r_dis, c_dis), (r_con, c_con) = pair
            total += float((r_dis / r_dis.mean() * r_con / r_con.mean()).mean()) / 7
            total += 4 * float((c_dis * c_con).mean()) / 7
    parts = loss_parts(model, con, ATTENTIVE, x, LABELS, ALL)
    assert float(parts["overlap"]) == pytest.approx(0.3 * total / 3, rel=0.01)


def test_the_correlation_part_is_pearsons_of_what_is_correlated() -> None:
    g = torch.Generator().manual_seed(0)
    D, C = (torch.randn(3, 4, 5, 5, generator=g) for _ in range(2))
    C[1] += D[1]
    places = [m.mean(1).flatten(1) for m in (D, C)]
    found = [float(torch.corrcoef(torch.stack([a, b]))[0, 1]) for a, b in zip(*places, strict=True)]
    assert min(found) < 0 < 0.5 < max(found)
    expected = sum(max(r, 0) for r in found) / 3
    assert float(objectives.correlation_loss(D, C)) == pytest.approx(expected, abs=1e-5)
    above = sum(max(r - 0.3, 0) for r in found) / 3
    assert float(objectives.correlation_loss(D, C, 0.3)) == pytest.approx(above, abs=1e-5)
    D.requires_grad_()
    C.requires_grad_()
    objectives.correlation_loss(D, C).backward()
    assert D.grad is None
    assert C.grad is not None


@pytest.mark.parametrize("rivals", [0, 1, 2, 9])
def test_the_subtraction_part_gives_C_a_task_of_its_own(rivals: int) -> None:
    model = tiny_model()
    g = torch.Generator().manual_seed(0)
    f5, C = (torch.rand(3, 96, 3, 3, generator=g) for _ in range(2))
    C[2] = 0  # a photo whose C is off
    labels = torch.tensor([4, 1, 0])
    C.requires_grad_()
    loss = objectives.subtraction_loss(model, f5, C, labels, rivals)
    expected = []
    for i in (0, 1):
        plain = model.classifier(f5[i].mean((1, 2)))
        taken = model.classifier.weight @ C[i].mean((1, 2))
        wrong = [k for k in plain.argsort(descending=True).tolist() if k != labels[i]]
        classes = [int(labels[i]), *(wrong[:rivals] if rivals else wrong)]
        of = -taken if rivals else plain - taken
        expected.append(-float((of[classes[0]] - of[classes].logsumexp(0)).detach()))
    assert float(loss.detach()) == pytest.approx(sum(expected) / 2, rel=1e-4)
    loss.backward()
    assert C.grad is not None
    assert C.grad[:2].abs().sum() > 0
    assert model.classifier.weight.grad is None  # C adapts, not what it is read by


def test_live_gates_can_meet_the_counterfactual_part_and_constant_ones_cannot(
    con: ConLoss, x: Tensor
) -> None:
    """With the same gates for all photos nothing is left once the swap is taken away."""
    model = tiny_model()
    for a in model.sides.values():
        for gated in a.branches.values():
            gated.gate.hold()
    parts = loss_parts(model, con, ATTENTIVE, x, LABELS, ALL)
    expected = 0.7 * torch.log(torch.tensor(float(CLASSES)))
    assert float(parts["counterfactual"]) == pytest.approx(float(expected), abs=1e-3)
