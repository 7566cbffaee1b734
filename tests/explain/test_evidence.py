"""Evidence adds up to logits that forward passes give; attributions say what they miss."""

from __future__ import annotations

import pytest
import torch
from tiny import CLASSES, some_settings, tiny_model
from torch import Tensor

import lafe
from lafe import LAFE, Controls, Switches
from lafe.branches import EVERY_BRANCH, Branch

SETTINGS = [Switches.all(), Switches.none(), *some_settings(6)]


def test_evidence_adds_up_to_the_logit_of_a_forward_pass(model: LAFE, x: Tensor) -> None:
    photo = lafe.prepare(model, x)
    for s in SETTINGS:
        with torch.no_grad():
            logits = model(x, s)[0]
        for target in range(CLASSES):
            e = lafe.evidence(photo, target=target, switches=s)
            total = (e.backbone + e.dis + e.con).sum() + e.bias
            assert float(total) == pytest.approx(float(logits[target]), abs=1e-4)
            assert sum(e.steps.values()) == pytest.approx(float(logits[target]), abs=1e-4)
            assert e.logit == float(logits[target])


def test_a_position_has_the_gradient_times_its_features(full: LAFE, x: Tensor) -> None:
    with lafe.record(full) as r:
        logit = full(x)[0, 2]
        (gradient,) = torch.autograd.grad(logit, r.F5)
    e = lafe.evidence(lafe.prepare(full, x), target=2)
    for found, features in ((e.backbone, r.features[-1]), (e.dis, r.D), (e.con, -r.C)):
        torch.testing.assert_close(found, (gradient * features).sum((0, 1)).detach())
        assert found.std() > 0


def test_one_class_rather_than_another(full: LAFE, x: Tensor) -> None:
    photo = lafe.prepare(full, x)
    a, b = lafe.evidence(photo, target=1), lafe.evidence(photo, target=3)
    e = lafe.evidence(photo, target=1, versus=3)
    for name in ("backbone", "dis", "con"):
        torch.testing.assert_close(getattr(e, name), getattr(a, name) - getattr(b, name))
    assert e.bias == pytest.approx(a.bias - b.bias)
    assert e.logit == pytest.approx(a.logit - b.logit, abs=1e-6)


def test_one_class_rather_than_the_mean_of_all(full: LAFE, x: Tensor) -> None:
    e = lafe.evidence(lafe.prepare(full, x), target=1, versus="mean")
    with torch.no_grad():
        logits = full(x)[0]
    assert sum(e.steps.values()) == pytest.approx(float(logits[1] - logits.mean()), abs=1e-4)
    assert e.logit == pytest.approx(float(logits[1] - logits.mean()), abs=1e-5)


def test_the_predicted_class_is_the_default(full: LAFE, x: Tensor) -> None:
    s = Switches.only("c_con")
    with torch.no_grad():
        assert lafe.evidence(lafe.prepare(full, x), switches=s).logit == float(full(x, s).max())


def test_controls_are_obeyed(full: LAFE, x: Tensor) -> None:
    controls = Controls(shuffled=Switches.only("c_dis"))
    e = lafe.evidence(lafe.prepare(full, x).under(controls), target=1)
    photo = lafe.prepare(full, x).under(controls)
    assert e.logit == float(photo.logits(Switches.all())[1])
    assert not torch.equal(e.dis, lafe.evidence(lafe.prepare(full, x), target=1).dis)


@pytest.mark.parametrize("wrong", [{"target": CLASSES}, {"target": -1}, {"target": 0, "versus": 9}])
def test_an_unknown_class_is_refused(full: LAFE, x: Tensor, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no class"):
        lafe.evidence(lafe.prepare(full, x), **wrong)


def test_an_unknown_rival_is_refused(full: LAFE, x: Tensor) -> None:
    with pytest.raises(ValueError, match="'mean'"):
        lafe.evidence(lafe.prepare(full, x), target=0, versus="median")


def integral(
    model: LAFE, x: Tensor, target: int, switches: Switches, steps: int
) -> tuple[dict[Branch, float], float]:
    """Each branch's integrated gradient by the midpoint rule, and the logit's part at zero.

    A branch's share, summed over its map, is the integral of the logit's derivative by a factor
    that all branches share: found by forward passes in which every branch is scaled.
    """
    factors = torch.zeros(len(EVERY_BRANCH), requires_grad=True)
    handles = []
    for side in model.sides.values():
        for branch, module in side.branches.items():
            i = EVERY_BRANCH.index(branch)
            handles.append(module.register_forward_hook(lambda m, a, out, i=i: out * factors[i]))
    shares = torch.zeros(len(EVERY_BRANCH))
    for step in range(steps):
        factors.data.fill_((step + 0.5) / steps)
        logit = model(x, switches)[0, target]
        (gradient,) = torch.autograd.grad(logit, factors)
        shares += gradient / steps
    factors.data.fill_(0)
    with torch.no_grad():
        zero = float((model(x, switches) - model(x, Switches.none()))[0, target])
    for handle in handles:
        handle.remove()
    return dict(zip(EVERY_BRANCH, shares.tolist(), strict=True)), zero


@pytest.mark.parametrize("switches", [Switches.all(), Switches.parse("r_dis35.c_con4")], ids=str)
def test_branches_get_their_integrated_gradients(full: LAFE, x: Tensor, switches: Switches) -> None:
    photo = lafe.prepare(full, x)
    b = lafe.branch_evidence(photo, target=1, switches=switches, steps=100)
    shares, zero = integral(full, x, 1, switches, steps=100)
    assert list(b.maps) == list(switches)
    for key, share in b.maps.items():
        assert share.shape == photo.feature(key.stage).shape[2:]
        assert float(share.sum()) == pytest.approx(shares[key], abs=2e-3)
        assert float(share.abs().sum()) > 1e-2  # nothing is trivially right
    assert b.constant == pytest.approx(zero, abs=1e-5)


def test_the_gap_is_what_is_missed_of_the_change(full: LAFE, x: Tensor) -> None:
    with torch.no_grad():
        change = float((full(x) - full(x, Switches.none()))[0, 1])
    gaps = []
    for steps in (2, 64):
        b = lafe.branch_evidence(lafe.prepare(full, x), target=1, steps=steps)
        assert b.change == pytest.approx(change, abs=1e-5)
        total = sum(float(m.sum()) for m in b.maps.values())
        assert total + b.constant + b.gap == pytest.approx(change, abs=1e-5)
        gaps.append(abs(b.gap))
    assert gaps[1] < gaps[0] / 4
    assert gaps[1] < 0.02 * abs(change)


def test_without_fusion_the_attribution_is_exact(x: Tensor) -> None:
    model = tiny_model(fusion=False)
    photo = lafe.prepare(model, x)
    b = lafe.branch_evidence(photo, target=1)
    w = model.classifier.weight[1].detach()
    assert {branch.stage for branch in b.maps} == {5}
    for branch, found in b.maps.items():
        sign = {"dis": 1, "con": -1}[branch.side]
        m = photo.branch_map(branch)[0]
        torch.testing.assert_close(found, sign * torch.einsum("c,chw->hw", w, m) / m[0].numel())
    assert b.constant == 0
    assert b.gap == pytest.approx(0, abs=1e-5)


def test_a_model_without_branches_has_none_to_attribute(x: Tensor) -> None:
    b = lafe.branch_evidence(lafe.prepare(tiny_model(attention=False), x), target=1)
    assert (dict(b.maps), b.constant, b.change, b.gap) == ({}, 0, 0, 0)


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
def test_one_class_rather_than_several_at_a_strength(
    full: LAFE, x: Tensor, strength: float
) -> None:
    """Finer-CAM's definition: the gradient of z_c - strength * mean z_d, times the features."""
    with lafe.record(full) as r:
        logits = full(x)[0]
        score = logits[2] - strength * (logits[0] + logits[4]) / 2
        (gradient,) = torch.autograd.grad(score, r.F5)
    photo = lafe.prepare(full, x)
    e = lafe.evidence(photo, target=2, versus=[0, 4], strength=strength)
    whole = e.backbone + e.dis + e.con
    torch.testing.assert_close(whole, (gradient * r.F5).sum((0, 1)).detach())
    assert e.logit == pytest.approx(score.item(), abs=1e-6)
    a = lafe.attribute(photo, method="evidence", target=2, versus=[0, 4], strength=strength)
    torch.testing.assert_close(torch.tensor(a.map), whole)


def test_lookalikes_are_the_classes_with_the_nearest_logits() -> None:
    logits = torch.tensor([1.0, 9.0, 4.0, 8.0, 3.6])
    assert lafe.lookalikes(logits) == [3, 2, 4]
    assert lafe.lookalikes(logits, target=2, count=2) == [4, 0]


def test_contrast_with_nothing_is_refused(full: LAFE, x: Tensor) -> None:
    with pytest.raises(ValueError, match="none is given"):
        lafe.evidence(lafe.prepare(full, x), target=0, versus=[])
