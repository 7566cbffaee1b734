"""Eq. 5-7 and SENet's gate against sums written from the papers, index by index."""

from __future__ import annotations

import pytest
import torch

from lafe.model.attention import Branch, ChannelGate, RegionGate


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
    assert torch.allclose(Branch(gate)(f), torch.einsum("bchw,bhw->bchw", f, s))  # Eq. 7


def test_channel_gate_is_squeeze_and_excitation() -> None:
    gate = ChannelGate(32).double()
    f = features(2, 32, 3, 4)
    z = torch.einsum("bchw->bc", f) / 12
    hidden = (torch.einsum("kc,bc->bk", gate.reduce.weight, z) + gate.reduce.bias).clamp(min=0)
    s = torch.einsum("ck,bk->bc", gate.expand.weight, hidden) + gate.expand.bias
    s = 1 / (1 + torch.exp(-s))
    assert torch.allclose(gate(f), s[:, :, None, None])
    assert gate(f).shape == (2, 32, 1, 1)
    assert torch.allclose(Branch(gate)(f), torch.einsum("bchw,bc->bchw", f, s))


def test_channel_gate_is_timms_squeeze_and_excitation() -> None:
    from timm.layers import SEModule

    gate, peer = ChannelGate(64).eval(), SEModule(64, rd_channels=4).eval()
    for ours, theirs in ((gate.reduce, peer.fc1), (gate.expand, peer.fc2)):
        theirs.weight.data = ours.weight.data[:, :, None, None]
        theirs.bias.data = ours.bias.data
    f = features(2, 64, 5, 5).float()
    assert torch.allclose(Branch(gate)(f), peer(f), atol=1e-6)


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
        Branch(RegionGate(3, 2)),
        Branch(RegionGate(3, 2, "sigmoid")),
        Branch(ChannelGate(4)),
    ],
    ids=["region relu", "region sigmoid", "channel"],
)
def test_gradients_are_those_of_finite_differences(branch: Branch) -> None:
    branch = branch.double()
    f = features(2, 4, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(branch, (f,))
    names, values = zip(*branch.named_parameters(), strict=True)

    def of_weights(*weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(branch, dict(zip(names, weights, strict=True)), (f,))

    assert torch.autograd.gradcheck(of_weights, values)
