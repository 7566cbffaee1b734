"""A small model in which nothing vanishes, for the tests of the model and its training."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lafe import LAFE, Switches
from lafe.branches import EVERY_BRANCH

M = TypeVar("M", bound=nn.Module)

# The rows of Table 4 that are other networks (its losses are left out by the recipe).
VARIANTS: dict[str, dict[str, Any]] = {
    "lafe": {},
    "no region attention": {"region": False},
    "no feature fusion": {"fusion": False},
    "plain backbone": {"attention": False},
    "sigmoid": {"region_gate": "sigmoid"},
}

SIZE = 96
CLASSES = 5


def tiny_model(seed: int = 0, classes: int = CLASSES, **options: Any) -> LAFE:
    """In eval mode, with random batch norms."""
    torch.manual_seed(seed)
    return random_norms(LAFE("test_resnet", classes, SIZE, **options))


def random_norms(model: M) -> M:
    """The model in eval mode, its batch norms drawn: at their initial values BN(0) would be 0."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias, 0.0, 0.3)
            nn.init.normal_(m.running_mean, 0.0, 0.3)
            nn.init.uniform_(m.running_var, 0.5, 2.0)
    return model.eval()


def photos(count: int = 2, seed: int = 1, size: int = SIZE) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def named(s: Switches) -> set[tuple[int, str]]:
    """The branches that are on, as stages and names."""
    return {(branch.stage, branch.name) for branch in s}


def some_settings(count: int, seed: int = 0) -> list[Switches]:
    """Random settings, every branch as likely on as off."""
    g = torch.Generator().manual_seed(seed)
    return [Switches.from_index(int(i)) for i in torch.randint(4096, (count,), generator=g)]


def single_settings() -> list[Switches]:
    """Each branch alone, and each branch alone missing."""
    alone = [Switches.only(branch) for branch in EVERY_BRANCH]
    return alone + [Switches.from_index(4095 - s.index) for s in alone]
