"""Eq. 1, 2 and 4 against index sums; what is off; gradients."""

from __future__ import annotations

from collections.abc import Iterator

import paper
import pytest
import torch
from tiny import VARIANTS, named, photos, some_settings, tiny_model
from torch import Tensor, nn

from lafe.branches import Switches
from lafe.model.fusion import Fusion, Sum


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def fuse(fusion: Fusion, low: Tensor | None, high: Tensor | None) -> Tensor:
    """Eq. 4; None is off."""
    lows, highs = (() if m is None else (m,) for m in (low, high))
    (fused,) = fusion(fusion.lifted(lows), highs)
    return fused


class Whole(nn.Module):
    """Both steps of a fusion, as one module."""

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        return fuse(self.fusion, low, high)


@pytest.fixture
def fusion() -> Fusion:
    torch.manual_seed(0)
    fusion = Fusion(3, 5).double()
    nn.init.uniform_(fusion.bn.weight, 0.5, 1.5)
    nn.init.normal_(fusion.bn.bias)
    nn.init.normal_(fusion.bn.running_mean)
    nn.init.uniform_(fusion.bn.running_var, 0.5, 2)
    return fusion.eval()


@pytest.fixture
def low() -> Tensor:
    return normal(2, 3, 8, 6)


@pytest.fixture
def high() -> Tensor:
    return normal(2, 5, 4, 3, seed=1)


def test_a_fusion_is_equation_4(fusion: Fusion, low: Tensor, high: Tensor) -> None:
    expected = paper.fuse(fusion.state_dict(), low, high)
    assert torch.allclose(fuse(fusion, low, high), expected)
    assert 0.1 < (expected > 0).double().mean() < 0.9  # both sides of the last ReLU were tested


def test_in_training_the_batch_norm_uses_the_batch(
    fusion: Fusion, low: Tensor, high: Tensor
) -> None:
    pooled = paper.pooling(
        paper.relu(torch.einsum("oc,bchw->bohw", fusion.lift.weight[..., 0, 0], low))
    )
    u = torch.einsum("oc,bchw->bohw", fusion.mix.weight[..., 0, 0], high + pooled)
    weights = fusion.state_dict() | {
        "bn.running_mean": u.mean((0, 2, 3)),
        "bn.running_var": u.var((0, 2, 3), correction=0),
    }
    assert torch.allclose(fuse(fusion.train(), low, high), paper.fuse(weights, low, high))


def test_its_convolutions_have_no_bias(fusion: Fusion) -> None:
    assert {n for n, _ in fusion.named_parameters()} == {
        "lift.weight", "mix.weight", "bn.weight", "bn.bias",
    }  # fmt: skip
    assert fusion.lift.weight.shape == (5, 3, 1, 1)
    assert fusion.mix.weight.shape == (5, 5, 1, 1)


def test_an_input_that_is_off_is_a_zero(fusion: Fusion, low: Tensor, high: Tensor) -> None:
    assert torch.equal(fuse(fusion, None, high), fuse(fusion, torch.zeros_like(low), high))
    assert torch.equal(fuse(fusion, low, None), fuse(fusion, low, torch.zeros_like(high)))
    assert fusion(fusion.lifted(()), ()) == ()
    fusion.bn.running_mean -= 10
    assert fuse(fusion, torch.zeros_like(low), torch.zeros_like(high)).any()  # which is not off


def test_gradients_are_those_of_finite_differences(
    fusion: Fusion, low: Tensor, high: Tensor
) -> None:
    low.requires_grad_()
    high.requires_grad_()
    assert torch.autograd.gradcheck(Whole(fusion), (low, high))
    whole = Whole(fusion)
    names, values = zip(*whole.named_parameters(), strict=True)

    def of_weights(*weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(whole, given, (low, high))

    assert torch.autograd.gradcheck(of_weights, values)


def test_a_sum_of_nothing_is_nothing() -> None:
    a, b = normal(1, 2, 3, 3), normal(1, 2, 3, 3, seed=1)
    assert torch.equal(Sum()(a, b), a + b)
    assert torch.equal(Sum()(a), a)
    assert Sum()() is None


@pytest.fixture(params=[v for v in VARIANTS if v != "plain backbone"])
def variant(request: pytest.FixtureRequest) -> dict[str, object]:
    return VARIANTS[request.param]


@pytest.mark.parametrize("name", ["dis", "con"])
def test_an_attribute_is_equations_1_to_7(name: str, variant: dict[str, object]) -> None:
    model = tiny_model(**variant).double()
    attribute = model.sides[name]
    features = model.backbone(photos().double())
    options = {"outer" if k == "region_gate" else k: v for k, v in variant.items()}
    for s in (Switches.all(), *some_settings(8)):
        expected, _ = paper.attribute(attribute.state_dict(), features, named(s), name, **options)
        got = attribute(features, s)
        assert torch.allclose(torch.zeros_like(features[-1]) if got is None else got, expected)


def zeros_like_output(module: nn.Module, args: object, output: Tensor) -> Tensor:
    return torch.zeros_like(output)


@pytest.fixture
def hooks() -> Iterator[list[torch.utils.hooks.RemovableHandle]]:
    handles: list[torch.utils.hooks.RemovableHandle] = []
    yield handles
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("setting", ["random", *[str(s) for s in some_settings(4, seed=5)], "none"])
def test_off_is_a_branch_whose_output_is_zeroed_by_a_hook(
    setting: str, hooks: list[torch.utils.hooks.RemovableHandle]
) -> None:
    model = tiny_model()
    x = photos()
    s = some_settings(1, seed=9)[0] if setting == "random" else Switches.parse(setting)
    switched = model(x, s)
    for attribute in model.sides.values():
        reached = False
        for stage in (3, 4, 5):
            for branch, gated in attribute.branches.items():
                if branch.stage == stage and s[branch]:
                    reached = True
                elif branch.stage == stage:
                    hooks.append(gated.register_forward_hook(zeros_like_output))
            if stage > 3 and not reached:  # a fusion of nothing is nothing
                fusion = attribute.fusions[str(stage)]
                hooks.append(fusion.act.register_forward_hook(zeros_like_output))
    assert torch.allclose(model(x), switched, atol=1e-6)
