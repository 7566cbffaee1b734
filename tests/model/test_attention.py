"""Eq. 5-7 and SENet's gate against sums written from the papers, index by index."""

from __future__ import annotations

import copy

import pytest
import torch

from lafe.model.attention import ChannelGate, RegionGate
from lafe.model.fusion import Gated


def features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("outer", ["relu", "sigmoid"])
def test_region_gate_is_equations_5_and_6(outer: str) -> None:
    gate = RegionGate(4, 7, outer).double()
    f = features(3, 5, 4, 7).relu()
    z = torch.einsum("bchw->bhw", f) / 5  # Eq. 5
    # Regions are counted row by row: h * 7 + w.
    W1 = gate.reduce.weight.reshape(4, 4, 7)  # HW/7 = 4 hidden units
    W2 = gate.expand.weight.reshape(4, 7, 4)
    hidden = (torch.einsum("khw,bhw->bk", W1, z) + gate.reduce.bias).clamp(min=0)
    s = torch.einsum("hwk,bk->bhw", W2, hidden) + gate.expand.bias.reshape(4, 7)  # Eq. 6
    s = s.clamp(min=0) if outer == "relu" else 1 / (1 + torch.exp(-s))
    assert torch.allclose(gate(f), s[:, None])
    assert gate(f).shape == (3, 1, 4, 7)
    assert torch.allclose(Gated(gate)(f), torch.einsum("bchw,bhw->bchw", f, s))  # Eq. 7


def test_channel_gate_is_squeeze_and_excitation() -> None:
    gate = ChannelGate(32).double()
    f = features(2, 32, 3, 4)
    z = torch.einsum("bchw->bc", f) / 12
    hidden = (torch.einsum("kc,bc->bk", gate.reduce.weight, z) + gate.reduce.bias).clamp(min=0)
    s = torch.einsum("ck,bk->bc", gate.expand.weight, hidden) + gate.expand.bias
    s = 1 / (1 + torch.exp(-s))
    assert torch.allclose(gate(f), s[:, :, None, None])
    assert gate(f).shape == (2, 32, 1, 1)
    assert torch.allclose(Gated(gate)(f), torch.einsum("bchw,bc->bchw", f, s))


def test_channel_gate_is_timms_squeeze_and_excitation() -> None:
    from timm.layers import SEModule

    gate, peer = ChannelGate(64).eval(), SEModule(64, rd_channels=4).eval()
    for ours, theirs in ((gate.reduce, peer.fc1), (gate.expand, peer.fc2)):
        theirs.weight.data = ours.weight.data[:, :, None, None]
        theirs.bias.data = ours.bias.data
    f = features(2, 64, 5, 5).float()
    assert torch.allclose(Gated(gate)(f), peer(f), atol=1e-6)


@pytest.mark.parametrize(("side", "hidden"), [(56, 448), (28, 112), (14, 28), (2, 1)])
def test_a_region_gate_reduces_by_seven(side: int, hidden: int) -> None:
    """The sides of the paper's 448 px; and one with fewer regions than seven."""
    gate = RegionGate(side, side)
    assert gate.reduce.weight.shape == (hidden, side * side)
    assert gate.expand.weight.shape == (side * side, hidden)


@pytest.mark.parametrize(("channels", "hidden"), [(512, 32), (2048, 128), (8, 1)])
def test_a_channel_gate_reduces_by_sixteen(channels: int, hidden: int) -> None:
    gate = ChannelGate(channels)
    assert gate.reduce.weight.shape == (hidden, channels)
    assert gate.expand.weight.shape == (channels, hidden)


@pytest.mark.parametrize("outer", ["relu", "sigmoid"])
def test_a_new_region_gate_is_open(outer: str) -> None:
    """A region that is shut for every photo would never open again."""
    gate = RegionGate(14, 14, outer)(features(8, 64, 14, 14).float().relu())
    assert (gate.amax(0) > 0).all()
    assert 0.3 < gate.mean() < 0.7


@pytest.mark.parametrize(
    "branch",
    [
        Gated(RegionGate(3, 2)),
        Gated(RegionGate(3, 2, "sigmoid")),
        Gated(ChannelGate(4)),
    ],
    ids=["region relu", "region sigmoid", "channel"],
)
def test_gradients_are_those_of_finite_differences(branch: Gated) -> None:
    branch = branch.double()
    f = features(2, 4, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(branch, (f,))
    names, values = zip(*branch.named_parameters(), strict=True)

    def of_weights(*weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(branch, dict(zip(names, weights, strict=True)), (f,))

    assert torch.autograd.gradcheck(of_weights, values)


torch.manual_seed(0)
GATES = [RegionGate(6, 6), RegionGate(6, 6, "sigmoid"), ChannelGate(36)]
KINDS = pytest.mark.parametrize("gate", GATES, ids=["region relu", "region sigmoid", "channel"])


def photos_alike(count: int = 40) -> torch.Tensor:
    """Features that vary over photos by a hundredth of their mean, as a backbone's do."""
    g = torch.Generator().manual_seed(2)
    common = torch.rand(1, 36, 6, 6, generator=g) + 0.5
    return common * (1 + 0.01 * torch.randn(count, 36, 6, 6, generator=g))


@KINDS
def test_a_standardised_gate_follows_the_photo_where_a_plain_one_is_a_constant(
    gate: RegionGate | ChannelGate,
) -> None:
    f = photos_alike()
    plain = copy.deepcopy(gate)(f).flatten(1)
    gate = copy.deepcopy(gate)
    gate.standardise()
    live = gate.train()(f).flatten(1)
    assert plain.std(0).mean() < 0.01 * plain.mean()
    assert live.std(0).mean() > 0.1 * live.mean()


@KINDS
def test_folding_leaves_equation_6_with_the_same_outputs(gate: RegionGate | ChannelGate) -> None:
    gate = copy.deepcopy(gate)
    keys = set(gate.state_dict())
    gate.standardise()
    f = photos_alike()
    for _ in range(100):  # until the running statistics are those of the photos
        gate.train()(f)
    gate.eval()
    before, hidden = gate(f), gate.reduce.weight.clone()
    assert gate.standard is not None
    # By hand, in double precision: what the first FC reads, from the running statistics.
    z = (f.double().mean(1) if isinstance(gate, RegionGate) else f.double().mean((2, 3))).flatten(1)
    z = (z - gate.standard.running_mean) / (gate.standard.running_var + 1e-5).sqrt()
    read = z @ hidden.double().T + gate.reduce.bias
    gate.fold()
    assert set(gate.state_dict()) == keys
    after = gate(f)
    assert torch.allclose(after, before, atol=1e-4)
    assert (before - before.mean(0)).abs().max() > 0.1  # something was to be kept
    z = (f.double().mean(1) if isinstance(gate, RegionGate) else f.double().mean((2, 3))).flatten(1)
    folded = z @ gate.reduce.weight.double().T + gate.reduce.bias.double()
    assert torch.allclose(folded, read, atol=1e-4)
    gate.fold()  # nothing is left to fold
    assert torch.equal(gate(f), after)


@KINDS
@pytest.mark.parametrize("low", [torch.float16, torch.bfloat16])
def test_a_gate_is_computed_in_float32_whatever_the_rest_is(
    gate: RegionGate | ChannelGate, low: torch.dtype
) -> None:
    """bfloat16 holds two digits of what is squeezed: photos that differ in the third are alike."""
    gate = copy.deepcopy(gate).eval()
    with torch.no_grad():  # as folding makes it: large and cancelling
        gate.reduce.weight.mul_(300)
        common = photos_alike(1)
        z = gate.squeeze(common)[0]
        gate.reduce.bias.copy_(0.5 - gate.reduce.weight @ z)  # every hidden unit is at work
    f = photos_alike(8).to(low)
    exact = copy.deepcopy(gate).double()(f.double())
    with torch.autocast("cpu", torch.bfloat16):
        autocast = gate(f)
    whole = copy.deepcopy(gate).to(low)(f)
    for found in (autocast, whole):
        assert found.dtype == low
        assert (found.double() - exact).abs().max() < 0.01 * exact.abs().max()
    assert (exact - exact.mean(0)).abs().max() > 0.02 * exact.abs().max()


def test_a_model_in_half_precision_keeps_its_gates_weights() -> None:
    branch = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), Gated(ChannelGate(4)))
    kept = copy.deepcopy(branch[1].state_dict())
    branch.half()
    assert branch[0].weight.dtype == torch.float16
    for key, value in branch[1].state_dict().items():
        assert torch.equal(value, kept[key])
        assert value.dtype == torch.float32
    assert branch.double()[1].gate.reduce.weight.dtype == torch.float64
    assert branch.to("meta")[1].gate.reduce.weight.device.type == "meta"


@KINDS
def test_a_constant_gate_learns_one_weight_a_place_and_is_the_same_for_all_photos(
    gate: RegionGate | ChannelGate,
) -> None:
    gate = copy.deepcopy(gate)
    gate.hold()
    out = gate(features(5, 36, 6, 6).float()).flatten(1)
    assert torch.allclose(out, out[:1].expand_as(out), atol=1e-6)
    out.sum().backward()
    trained = {name for name, p in gate.named_parameters() if p.requires_grad}
    assert trained == {"expand.bias"}
    assert gate.expand.bias.grad is not None
    assert gate.expand.bias.grad.shape == (36,)
