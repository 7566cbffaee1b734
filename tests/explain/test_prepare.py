"""A prepared photo gives what forward passes give, and never runs the backbone again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import CLASSES, some_settings, tiny_model
from torch import Tensor

import lafe
from lafe import LAFE, Controls, Switches
from lafe.branches import EVERY_BRANCH, FULL, Branch
from lafe.checkpoints.store import save


@pytest.fixture
def full() -> LAFE:
    """One for each test: some change it."""
    return tiny_model()


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
    for branch in s:
        assert torch.equal(photo.branch_map(branch), r[branch].map)
        assert torch.equal(photo.gate(branch.stage, branch.name), r[branch].gate)


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
    photo = learned.under(Controls(uniform=Switches.only("r_dis", stages=(4,))))
    gate = learned.gate(4, "r_dis")
    assert gate.std() > 0
    assert photo.gate(4, "r_dis").shape == gate.shape
    torch.testing.assert_close(
        photo.gate(4, "r_dis"), torch.full_like(gate, float(gate.double().mean()))
    )
    for branch in set(EVERY_BRANCH) - {Branch(4, "r", "dis")}:
        assert torch.equal(photo.gate(branch), learned.gate(branch))


def test_a_shuffled_gate_keeps_its_values_and_moves_them(full: LAFE, x: Tensor) -> None:
    learned = lafe.prepare(full, x)
    photo = learned.under(Controls(shuffled=Switches.all(), seed=3))
    for branch in EVERY_BRANCH:
        before, after = learned.gate(branch), photo.gate(branch)
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

    def stand_in(branch: Branch):
        return lambda module, args, gate: photo.gate(branch)

    for side in full.sides.values():
        for branch, module in side.branches.items():
            module.gate.register_forward_hook(stand_in(branch))
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
    with pytest.raises(ValueError, match="96 x 96"):
        lafe.prepare(full, torch.zeros(1, 3, 32, 32))
    with pytest.raises(lafe.LafeError, match=r"lafe\.load"):
        lafe.prepare(full, Image.new("RGB", (9, 9)))
    with pytest.raises(ValueError, match="no branch"):
        lafe.prepare(full, x).gate(3, "r")


@pytest.mark.parametrize("part", ["", "confusable.fusions.5.bn", "backbone.body"])
def test_a_model_in_training_mode_is_refused_before_a_batch_norm_moves(
    full: LAFE, x: Tensor, part: str
) -> None:
    photo = lafe.prepare(full, x)
    photo.fused(Switches.none())
    photo.fused(Switches.all())
    full.get_submodule(part).train()
    before = {k: v.clone() for k, v in full.state_dict().items()}
    for refused in (
        lambda: lafe.prepare(full, x),
        lambda: photo.logits(Switches.only("r_dis")),
        lambda: photo.fused(Switches.only("r_con")),
        lambda: lafe.factorial(photo),
        lambda: lafe.evidence(photo, switches=Switches.only("c_con")),
        lambda: lafe.branch_evidence(photo),
        lambda: lafe.attribute(photo, method="grad-cam-f5"),
    ):
        with pytest.raises(lafe.LafeError, match=r"model\.eval"):
            refused()
    assert all(torch.equal(v, before[k]) for k, v in full.state_dict().items())


def test_a_picture_is_read_as_the_checkpoint_says(tmp_path: Path) -> None:
    model = lafe.load(save(tiny_model(), tmp_path / "tiny", [f"class {k}" for k in range(CLASSES)]))
    picture = Image.effect_mandelbrot((120, 90), (-2, -1, 1, 1), 50).convert("RGB")
    photo = lafe.prepare(model, picture)
    assert torch.equal(photo.x, model.preprocess(picture))
    assert lafe.prepare(model.double(), picture).logits(Switches.all()).dtype == torch.float64
    assert lafe.prepare(model.to("meta"), picture).x.is_meta


def test_a_setting_is_computed_once(full: LAFE, x: Tensor) -> None:
    """A side again only where its own switches or gates are others."""
    photo = lafe.prepare(full, x)
    heads: list[str] = []
    for name in ("discriminative.fusions.5", "confusable.fusions.5", "classifier"):
        full.get_submodule(name).register_forward_hook(lambda *_, name=name: heads.append(name))
    for _ in range(2):
        photo.fused(Switches.all())
        photo.logits(Switches.all())
        lafe.evidence(photo.under(Controls()), target=0)
    assert heads == ["discriminative.fusions.5", "confusable.fusions.5", "classifier"]
    heads.clear()
    photo.fused(Switches.all().without("r_con"))
    assert heads == ["confusable.fusions.5", "classifier"]
    heads.clear()
    uniform = Controls(uniform=Switches.only("r_con"))
    assert not torch.equal(photo.under(uniform).fused(Switches.all()).C, photo.fused(FULL).C)
    assert "confusable.fusions.5" in heads


def test_switches_of_branches_that_are_missing_make_no_setting(x: Tensor) -> None:
    photo = lafe.prepare(tiny_model(region=False), x)
    whole, part = photo.fused(FULL), photo.fused(FULL.without("r_dis", "r_con"))
    assert whole.D is part.D
    assert whole.logits is part.logits
