"""A batch of many settings against one forward pass a photo."""

from __future__ import annotations

import pytest
import torch
from tiny import VARIANTS, photos, some_settings, tiny_model
from torch import Tensor, nn

from lafe.branches import BRANCHES, PRESETS, STAGES, Switches
from lafe.model.fusion import Attribute
from lafe.train.mixed import mask_of, mixed_attribute

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
        mixed = mixed_attribute(attribute, features, mask_of(settings))
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
        mixed = mixed_attribute(attribute, features, mask_of([s] * 12))
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
        mixed = mixed_attribute(attribute, features, mask_of(settings))
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
    assert not mixed_attribute(attribute, features, mask_of([Switches.none()] * 12)).any()
    assert all(torch.equal(v, before[k]) for k, v in attribute.state_dict().items())


def test_gradients_reach_the_gates_of_what_is_on_and_no_others() -> None:
    both, features = attributes()
    s = Switches.parse("r_dis35.c_dis4")
    mixed = mixed_attribute(both[0], features, mask_of([s, Switches.none()] * 6))
    mixed.sum().backward()

    def trained(module: nn.Module) -> bool:
        return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())

    for stage in STAGES:
        for kind in "rc":
            branch = both[0].branch(stage, kind)
            assert branch is not None
            assert trained(branch) == s[stage, f"{kind}_dis"]
