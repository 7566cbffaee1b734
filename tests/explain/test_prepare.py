"""A prepared photo gives what forward passes give, and never runs the backbone again."""

from __future__ import annotations

import pytest
import torch
from tiny import VARIANTS, photos, some_settings, tiny_model
from torch import Tensor

import lafe
from lafe import LAFE, Controls, Switches
from lafe.branches import EVERY_BRANCH


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def model(request: pytest.FixtureRequest) -> LAFE:
    return tiny_model(**request.param)


@pytest.fixture
def full() -> LAFE:
    return tiny_model()


@pytest.fixture
def x() -> Tensor:
    return photos(1)


def test_every_setting_has_the_bits_of_a_forward_pass(model: LAFE, x: Tensor) -> None:
    photo = lafe.prepare(model, x)
    with torch.no_grad():
        for s in [Switches.all(), Switches.none(), *some_settings(20)]:
            assert torch.equal(photo.logits(s), model(x, s)[0]), s


def test_maps_are_those_of_the_record(model: LAFE, x: Tensor) -> None:
    photo = lafe.prepare(model, x)
    s = Switches.all().without("r_con", stages=(4,))
    with lafe.record(model) as r, torch.no_grad():
        model(x, s)
    fused = photo.fused(s)
    assert torch.equal(fused.D, r.D)
    assert torch.equal(fused.C, r.C)
    assert torch.equal(fused.F5, r.F5)
    stages = (3, 4, 5) if model.config["fusion"] else (5,)  # others have no branches to record
    for stage in stages:
        dis, con = photo.stage_sums(stage, s)
        assert torch.equal(dis, r[stage].dis)
        assert torch.equal(con, r[stage].con)
    for stage, branch in s:
        assert torch.equal(photo.branch_map(stage, branch), r[stage, branch].map)
        assert torch.equal(photo.gate(stage, branch), r[stage, branch].gate)


def test_the_backbone_runs_once(full: LAFE, x: Tensor) -> None:
    passes = []
    full.backbone.register_forward_hook(lambda *_: passes.append(1))
    photo = lafe.prepare(full, x)
    for s in some_settings(5):
        photo.logits(s)
        photo.under(Controls(uniform=s)).fused(s)
    assert len(passes) == 1


def test_autograd_may_use_what_was_prepared_under_inference_mode(full: LAFE, x: Tensor) -> None:
    with torch.inference_mode():
        photo = lafe.prepare(full, x)
        logits = photo.logits(Switches.all())
    tensors = [*photo.features, *photo.gates.values(), logits, photo.branch_map(4, "c_con")]
    assert not any(t.is_inference() or t.requires_grad for t in tensors)
    f5 = photo.features[-1].clone().requires_grad_()
    full.head((*photo.features[:2], f5)).sum().backward()
    assert f5.grad is not None


def test_a_uniform_gate_is_the_mean(full: LAFE, x: Tensor) -> None:
    learned = lafe.prepare(full, x)
    photo = lafe.prepare(learned, controls=Controls(uniform=Switches.only("r_dis", stages=(4,))))
    gate = learned.gate(4, "r_dis")
    assert gate.std() > 0
    assert photo.gate(4, "r_dis").shape == gate.shape
    torch.testing.assert_close(
        photo.gate(4, "r_dis"), torch.full_like(gate, float(gate.double().mean()))
    )
    for key in set(EVERY_BRANCH) - {(4, "r_dis")}:
        assert torch.equal(photo.gate(*key), learned.gate(*key))


def test_a_shuffled_gate_keeps_its_values_and_moves_them(full: LAFE, x: Tensor) -> None:
    learned = lafe.prepare(full, x)
    photo = learned.under(Controls(shuffled=Switches.all(), seed=3))
    for key in EVERY_BRANCH:
        before, after = learned.gate(*key), photo.gate(*key)
        assert after.shape == before.shape
        assert torch.equal(after.flatten().sort().values, before.flatten().sort().values)
    assert not torch.equal(photo.gate(3, "c_dis"), learned.gate(3, "c_dis"))
    assert torch.equal(photo.gate(3, "c_dis"), photo.gate(3, "c_dis"))
    other = learned.under(Controls(shuffled=Switches.all(), seed=4))
    assert not torch.equal(photo.gate(3, "c_dis"), other.gate(3, "c_dis"))


def test_controls_equal_gates_written_by_hand(full: LAFE, x: Tensor) -> None:
    controls = Controls(Switches.only("r_dis"), Switches.only("c_con", stages=(5,)), seed=1)
    learned = lafe.prepare(full, x)
    photo = learned.under(controls)
    assert not torch.equal(photo.logits(Switches.all()), learned.logits(Switches.all()))

    def stand_in(stage: int, branch: str):
        return lambda module, args, gate: photo.gate(stage, branch)

    for side in (full.discriminative, full.confusable):
        for stage in (3, 4, 5):
            for kind in "rc":
                module = side.branch(stage, kind)
                module.gate.register_forward_hook(stand_in(stage, f"{kind}_{side.name}"))
    with torch.no_grad():
        assert torch.equal(photo.logits(Switches.all()), full(x)[0])


def test_controls_are_values() -> None:
    assert hash(Controls(seed=1)) == hash(Controls(seed=1))
    assert Controls(uniform=Switches.only("r_dis"))[3, "r_dis"] == "uniform"
    assert Controls(shuffled=Switches.only("r_dis"))[3, "r_dis"] == "shuffled"
    assert Controls()[3, "r_dis"] == "learned"
    with pytest.raises(ValueError, match=r"not both: r_dis5"):
        Controls(Switches.only("r_dis"), Switches.only("r_dis", stages=(5,)))


def test_what_cannot_be_prepared_is_said(full: LAFE, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 96, 96\)"):
        lafe.prepare(full, x.expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match="nothing"):
        lafe.prepare(full)
    with pytest.raises(ValueError, match="96 x 96"):
        lafe.prepare(full, torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="already"):
        lafe.prepare(lafe.prepare(full, x), x)
    with pytest.raises(ValueError, match="no branch"):
        lafe.prepare(full, x).gate(3, "r")
    with pytest.raises(ValueError, match=r"model\.eval"):
        lafe.prepare(full.train(), x)
