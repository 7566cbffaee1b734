"""Stand-ins for gates: what each branch gets, against forward passes with gates put in by hooks."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import Tensor

import lafe
from lafe import Switches
from lafe.branches import EVERY_BRANCH, Branch
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.explain.ablation import factorial
from lafe.explain.controls import Controls, rescaled
from lafe.explain.evidence import evidence
from tests.tiny import CLASSES, photos, tiny_model

MIXED = Controls(
    uniform=Switches.only("r_dis", stages=(3,)),
    shuffled=Switches.only("c_dis", stages=(4,)),
    mean=Switches.only("r_con", "c_con", stages=(3, 5)),
    other_photo=Switches.only("r_dis", "c_dis", stages=(5,)),
    seed=2,
)


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    """With mean gates, which are no photo's."""
    found = lafe.load(save(tiny_model(), tmp_path / "tiny", [f"c{i}" for i in range(CLASSES)]))
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        gates = found.gates(found.features(photos(1)))
    means = {branch: torch.rand(gate.shape, generator=g) for branch, gate in gates.items()}
    other = Trained(found.card, mean_gates=means)
    other.load_state_dict(found.state_dict())
    return other.eval()


def with_gates(model: Trained, x: Tensor, gates: dict[Branch, Tensor], on: Switches) -> Tensor:
    """Logits of the model with these gates."""
    with ExitStack() as stack, torch.no_grad():
        for side in model.sides.values():
            for branch, gated in side.branches.items():
                if branch in gates:
                    hook = gated.gate.register_forward_hook(lambda *_, g=gates[branch]: g)
                    stack.callback(hook.remove)
        return model(x, on)[0]


def by_hand(model: Trained, x: Tensor, other: Tensor) -> dict[Branch, Tensor]:
    with torch.no_grad():
        own, theirs = (model.gates(model.features(each)) for each in (x, other))
    found = {}
    for branch in EVERY_BRANCH:
        if MIXED.uniform[branch]:
            found[branch] = torch.full_like(own[branch], float(own[branch].mean()))
        elif MIXED.shuffled[branch]:
            found[branch] = MIXED.apply(branch, own[branch])
        elif MIXED.mean[branch]:
            found[branch] = model.mean_gates[branch]
        elif MIXED.other_photo[branch]:
            found[branch] = theirs[branch] * (own[branch].mean() / theirs[branch].mean())
    return found


def test_stand_ins_reach_settings_the_table_and_evidence(model: Trained) -> None:
    x, y = photos(2).split(1)
    photo = lafe.prepare(model, x)
    swapped = photo.under(MIXED, lafe.prepare(model, y))
    gates = by_hand(model, x, y)
    table = factorial(swapped)
    for on in (Switches.all(), Switches.only("r_dis", "c_con"), Switches(0b101101110011)):
        expected = with_gates(model, x, gates, on)
        assert torch.allclose(swapped.logits(on), expected, atol=1e-5)
        assert torch.allclose(table.logits(on), expected, atol=1e-4)
        assert not torch.allclose(photo.logits(on), expected, atol=1e-3)
    found = evidence(swapped, target=1, versus="mean")
    total = found.backbone.sum() + found.dis.sum() + found.con.sum() + found.bias
    logits = with_gates(model, x, gates, Switches.all())
    centred = logits[1] - logits.mean()
    assert float(total) == pytest.approx(float(centred), abs=1e-4)


def test_another_photo_is_one_s_own_and_kept_apart(model: Trained) -> None:
    x, a, b = (lafe.prepare(model, each) for each in photos(3).split(1))
    controls = Controls(other_photo=Switches.all())
    with_a, with_b = (x.under(controls, other).logits(Switches.all()) for other in (a, b))
    assert not torch.allclose(with_a, with_b, atol=1e-4)
    assert torch.equal(x.under(controls, a).logits(Switches.all()), with_a)
    # Whatever stands in for the other photo's own gates.
    under = a.under(Controls(uniform=Switches.all()))
    assert torch.allclose(x.under(controls, under).logits(Switches.all()), with_a, atol=1e-6)
    assert torch.allclose(
        x.under(controls, x).logits(Switches.all()), x.logits(Switches.all()), atol=1e-5
    )


def test_what_cannot_be_is_refused(model: Trained, tmp_path: Path) -> None:
    photo = lafe.prepare(model, photos(1))
    with pytest.raises(LafeError, match="give it as `other`"):
        photo.under(Controls(other_photo=Switches.only("r_dis")))
    stranger = lafe.prepare(tiny_model(), photos(1))
    with pytest.raises(LafeError, match="another model"):
        photo.under(Controls(other_photo=Switches.only("r_dis")), stranger)
    with pytest.raises(LafeError, match="lafe evaluate"):
        stranger.under(Controls(mean=Switches.only("r_dis")))
    with pytest.raises(ValueError, match=r"either mean or other photo, not both: c_con5"):
        Controls(
            mean=Switches.only("c_con"), other_photo=Switches.only("c_con", "r_con", stages=(5,))
        )


def test_a_shut_gate_of_another_photo_becomes_uniform() -> None:
    own = torch.tensor([[1.0, 3.0], [1.0, 3.0]]).view(2, 1, 1, 2)
    other = torch.tensor([[0.0, 0.0], [0.0, 8.0]]).view(2, 1, 1, 2)
    expected = torch.tensor([[2.0, 2.0], [0.0, 4.0]])
    assert torch.equal(rescaled(other, own).flatten(1), expected)


def test_every_branch_is_shuffled_in_an_order_of_its_own() -> None:
    gate = torch.arange(49.0).view(1, 1, 7, 7)
    orders = set()
    for seed in (0, 1):
        controls = Controls(shuffled=Switches.all(), seed=seed)
        for branch in EVERY_BRANCH:
            shuffled = controls.apply(branch, gate)
            assert torch.equal(shuffled, controls.apply(branch, gate))
            assert torch.equal(shuffled.flatten().sort().values, gate.flatten())
            orders.add(tuple(shuffled.flatten().tolist()))
    assert len(orders) == 2 * len(EVERY_BRANCH)


@pytest.mark.parametrize("seed", range(10))
def test_modes_change_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    controls, expected = Controls(seed=3), dict.fromkeys(EVERY_BRANCH, "learned")
    for _ in range(30):
        some, mode = Switches(rng.randrange(4096)), rng.choice(["learned", *controls.modes])
        controls = controls.with_mode(some, mode)
        expected |= dict.fromkeys(some, mode)
        assert {key: controls[key] for key in EVERY_BRANCH} == expected
        if "shuffled" not in expected.values():
            assert controls.seed == 0


def test_branches_that_are_off_have_no_stand_in() -> None:
    r_dis, c_con5 = Switches.only("r_dis"), Switches.only("c_con", stages=(5,))
    controls = Controls(r_dis, other_photo=c_con5)
    assert controls.in_force(Switches.all()) == {"uniform": r_dis, "other photo": c_con5}
    some = Switches.only("r_dis", "c_dis", stages=(3,))
    assert controls.in_force(some) == {"uniform": Switches.only("r_dis", stages=(3,))}
    assert controls.in_force(Switches.none()) == {}
