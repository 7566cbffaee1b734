"""A batch of many settings against one forward pass a photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny import VARIANTS, photos, some_settings, tiny_model
from torch import Tensor, nn

from lafe.branches import PRESETS, STAGES, Switches
from lafe.model.fusion import Attribute, Lifted
from lafe.train.mixed import indices, swapped

MIXED = [v for v in VARIANTS if v != "plain backbone"]


def attributes(variant: str = "lafe") -> tuple[list[Attribute], tuple[Tensor, ...]]:
    model = tiny_model(**VARIANTS[variant])
    return list(model.sides.values()), model.backbone(photos(12))


def mixed(
    attribute: Attribute, features: Sequence[Tensor], settings: Sequence[Switches], **more: Any
) -> Tensor:
    """Each photo under its own setting; zeros where all are off."""
    found = attribute(features, indices(settings), **more)
    return torch.zeros_like(features[-1]) if found is None else found


@pytest.mark.parametrize("variant", MIXED)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_row_is_its_photo_alone(variant: str, seed: int) -> None:
    both, features = attributes(variant)
    settings = [*some_settings(5, seed), *PRESETS.values()]
    for attribute in both:
        found = mixed(attribute, features, settings)
        for i, s in enumerate(settings):
            alone = attribute([f[i : i + 1] for f in features], s)
            expected = torch.zeros_like(features[-1][:1]) if alone is None else alone
            assert torch.allclose(found[i : i + 1], expected, atol=1e-5), (i, str(s))
            assert alone is not None or not found[i].any()  # off is exactly zero


@pytest.mark.parametrize("setting", ["all", "no region", "none", "c_dis3.r_con5"])
def test_one_setting_for_all_is_that_setting(setting: str) -> None:
    both, features = attributes()
    s = Switches.parse(setting)
    for attribute in both:
        found = mixed(attribute, features, [s] * 12)
        expected = attribute(features, s)
        zeros = torch.zeros_like(features[-1])
        assert torch.allclose(found, zeros if expected is None else expected, atol=1e-6)


def test_in_training_photos_that_are_off_stay_out_of_the_batch_norms() -> None:
    both, features = attributes()
    for attribute in both:
        attribute.train()
        settings = [Switches.all() if i % 3 else Switches.none() for i in range(12)]
        on = [i for i in range(12) if i % 3]
        before = {k: v.clone() for k, v in attribute.state_dict().items()}
        found = mixed(attribute, features, settings)
        statistics = {k: v.clone() for k, v in attribute.state_dict().items()}
        attribute.load_state_dict(before)
        alone = attribute([f[on] for f in features], Switches.all())
        assert torch.allclose(found[on], alone, atol=1e-5)
        assert not found[::3].any()
        for key, value in attribute.state_dict().items():
            assert torch.allclose(statistics[key], value, atol=1e-6)


def test_in_training_a_step_that_is_all_off_leaves_the_batch_norms_alone() -> None:
    both, features = attributes()
    attribute = both[0].train()
    before = {k: v.clone() for k, v in attribute.state_dict().items()}
    assert not mixed(attribute, features, [Switches.none()] * 12).any()
    assert all(torch.equal(v, before[k]) for k, v in attribute.state_dict().items())


def test_gradients_reach_the_gates_of_what_is_on_and_no_others() -> None:
    both, features = attributes()
    s = Switches.parse("r_dis35.c_dis4")
    found = mixed(both[0], features, [s, Switches.none()] * 6)
    found.sum().backward()

    def trained(module: nn.Module) -> bool:
        return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())

    for branch, gated in both[0].branches.items():
        assert trained(gated) == s[branch]


@pytest.mark.parametrize("variant", MIXED)
@pytest.mark.parametrize("first", STAGES)
def test_what_lies_below_the_first_stage_that_differs_is_taken_over(
    variant: str, first: int
) -> None:
    both, features = attributes(variant)
    settings = some_settings(12)
    order = torch.arange(12).roll(2)
    for attribute in both:
        gates = attribute.gates(features)
        others = swapped(gates, order, [s for s in STAGES if s >= first])
        lifted: Lifted = {}
        mixed(attribute, features, settings, gates=gates, lifted=lifted)
        below = {at: maps for at, maps in lifted.items() if at[1] == first}
        assert bool(below) == (first > attribute.stages[0])
        # What lies below is not even looked at.
        gone = [s < first and bool(below) for s in STAGES]
        read = [f * torch.nan if g else f for g, f in zip(gone, features, strict=True)]
        found = mixed(attribute, read, settings, gates=others, lifted=below)
        whole = mixed(attribute, features, settings, gates=others)
        assert torch.allclose(found, whole, atol=1e-5)


def test_a_swapped_gate_has_the_mean_of_ones_own() -> None:
    both, features = attributes()
    gates = both[0].gates(features)
    order = torch.arange(12).roll(2)
    others = swapped(gates, order, (4, 5))
    for branch, gate in others.items():
        own = gates[branch]
        if branch.stage == 3:
            assert torch.equal(gate, own)
            continue
        assert torch.allclose(gate.flatten(1).mean(1), own.flatten(1).mean(1), atol=1e-5)
        for i, j in enumerate(order):
            a, b = gate[i].flatten(), own[j].flatten()
            assert float(torch.nn.functional.cosine_similarity(a, b, dim=0)) > 0.9999
