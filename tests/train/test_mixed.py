"""A batch of many settings against one forward pass a photo."""

from __future__ import annotations

import pytest
import torch
from tiny import VARIANTS, photos, some_settings, tiny_model
from torch import Tensor, nn

from lafe.branches import BRANCHES, PRESETS, STAGES, Switches
from lafe.model.fusion import Attribute
from lafe.train.mixed import gates_of, mask_of, mixed_attribute, swapped

MIXED = [v for v in VARIANTS if v != "plain backbone"]


def attributes(variant: str = "lafe") -> tuple[list[Attribute], tuple[Tensor, ...]]:
    model = tiny_model(**VARIANTS[variant])
    assert model.discriminative is not None
    assert model.confusable is not None
    return [model.discriminative, model.confusable], model.backbone(photos(12))


def test_a_mask_is_the_switches() -> None:
    settings = some_settings(5)
    mask = mask_of(settings)
    assert mask.shape == (5, 3, 4)
    assert mask.dtype == torch.bool
    for row, s in zip(mask, settings, strict=True):
        for i, stage in enumerate(STAGES):
            for j, branch in enumerate(BRANCHES):
                assert bool(row[i, j]) == s[stage, branch]


@pytest.mark.parametrize("variant", MIXED)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_row_is_its_photo_alone(variant: str, seed: int) -> None:
    both, features = attributes(variant)
    settings = [*some_settings(5, seed), *PRESETS.values()]
    for attribute in both:
        mixed, _ = mixed_attribute(attribute, features, mask_of(settings))
        for i, s in enumerate(settings):
            alone = attribute([f[i : i + 1] for f in features], s)
            expected = torch.zeros_like(features[-1][:1]) if alone is None else alone
            assert torch.allclose(mixed[i : i + 1], expected, atol=1e-5), (i, str(s))
            assert alone is not None or not mixed[i].any()  # off is exactly zero


@pytest.mark.parametrize("setting", ["all", "no region", "none", "c_dis3.r_con5"])
def test_one_setting_for_all_is_that_setting(setting: str) -> None:
    both, features = attributes()
    s = Switches.parse(setting)
    for attribute in both:
        mixed, _ = mixed_attribute(attribute, features, mask_of([s] * 12))
        expected = attribute(features, s)
        zeros = torch.zeros_like(features[-1])
        assert torch.allclose(mixed, zeros if expected is None else expected, atol=1e-6)


def test_in_training_photos_that_are_off_stay_out_of_the_batch_norms() -> None:
    both, features = attributes()
    for attribute in both:
        attribute.train()
        settings = [Switches.all() if i % 3 else Switches.none() for i in range(12)]
        on = [i for i in range(12) if i % 3]
        before = {k: v.clone() for k, v in attribute.state_dict().items()}
        mixed, _ = mixed_attribute(attribute, features, mask_of(settings))
        statistics = {k: v.clone() for k, v in attribute.state_dict().items()}
        attribute.load_state_dict(before)
        alone = attribute([f[on] for f in features], Switches.all())
        assert torch.allclose(mixed[on], alone, atol=1e-5)
        assert not mixed[::3].any()
        for key, value in attribute.state_dict().items():
            assert torch.allclose(statistics[key], value, atol=1e-6)


def test_in_training_a_step_that_is_all_off_leaves_the_batch_norms_alone() -> None:
    both, features = attributes()
    attribute = both[0].train()
    before = {k: v.clone() for k, v in attribute.state_dict().items()}
    assert not mixed_attribute(attribute, features, mask_of([Switches.none()] * 12))[0].any()
    assert all(torch.equal(v, before[k]) for k, v in attribute.state_dict().items())


def test_gradients_reach_the_gates_of_what_is_on_and_no_others() -> None:
    both, features = attributes()
    s = Switches.parse("r_dis35.c_dis4")
    mixed, _ = mixed_attribute(both[0], features, mask_of([s, Switches.none()] * 6))
    mixed.sum().backward()

    def trained(module: nn.Module) -> bool:
        return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())

    for stage in STAGES:
        for kind in "rc":
            branch = both[0].branch(stage, kind)
            assert branch is not None
            assert trained(branch) == s[stage, f"{kind}_dis"]


@pytest.mark.parametrize("variant", MIXED)
@pytest.mark.parametrize("first", STAGES)
def test_what_lies_below_the_first_stage_that_differs_is_taken_over(
    variant: str, first: int
) -> None:
    both, features = attributes(variant)
    mask = mask_of(some_settings(12))
    order = torch.arange(12).roll(2)
    for attribute in both:
        gates = gates_of(attribute, features)
        others = swapped(gates, order, [s for s in STAGES if s >= first])
        _, lifted = mixed_attribute(attribute, features, mask, gates)
        found, _ = mixed_attribute(attribute, features, mask, others, lifted=lifted, first=first)
        whole, _ = mixed_attribute(attribute, features, mask, others)
        assert torch.allclose(found, whole, atol=1e-5)


def test_a_swapped_gate_has_the_mean_of_ones_own() -> None:
    both, features = attributes()
    gates = gates_of(both[0], features)
    order = torch.arange(12).roll(2)
    others = swapped(gates, order, (4, 5))
    for (stage, kind), gate in others.items():
        own = gates[stage, kind]
        if stage == 3:
            assert torch.equal(gate, own)
            continue
        assert torch.allclose(gate.flatten(1).mean(1), own.flatten(1).mean(1), atol=1e-5)
        for i, j in enumerate(order):
            a, b = gate[i].flatten(), own[j].flatten()
            assert float(torch.nn.functional.cosine_similarity(a, b, dim=0)) > 0.9999
