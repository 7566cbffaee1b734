"""The two objectives: the paper's (Eq. 11), and one under which every setting is trained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from lafe.branches import PRESETS, Switches
from lafe.model.lafe import LAFE
from lafe.model.losses import ConLoss, cls_loss, dis_loss
from lafe.train.mixed import mask_of, mixed_attribute
from lafe.train.recipe import Recipe

_PRESETS = tuple(s for name, s in PRESETS.items() if name not in ("full", "plain backbone"))


def draw_settings(seed: int, step: int, count: int) -> list[Switches]:
    """The settings of the pairs of one step of ``switched``: the same on every rank.

    All on a third of the time, none a sixth, a preset a quarter, else twelve coin flips: so every
    setting that a visitor can choose was seen in training.
    """
    g = torch.Generator().manual_seed(seed * 1_000_003 + step)

    def draw() -> Switches:
        u = torch.rand(1, generator=g).item()
        if u < 1 / 3:
            return Switches.all()
        if u < 1 / 2:
            return Switches.none()
        if u < 3 / 4:
            return _PRESETS[int(torch.randint(len(_PRESETS), (1,), generator=g))]
        return Switches.from_index(int(torch.randint(4096, (1,), generator=g)))

    return [draw() for _ in range(count)]


def paper_objective(
    model: LAFE, con: ConLoss, recipe: Recipe, x: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """``L = L_cls + L_dis + L_con`` (Eq. 11), its parts weighted and by name.

    A variant without attention leaves ``cls`` alone.

    Shape: x (B, 3, S, S), labels (B,) -> scalars.
    """
    features = model.backbone(x)
    with _head_precision(recipe, x):
        D, C = model.attributes(features)
    D, C = (None if m is None else m.float() for m in (D, C))
    parts = {"cls": _cls(model, model.final(features[-1], D, C), labels, recipe)}
    if D is not None and C is not None:
        parts |= _feature_losses(con, recipe, D, C, labels)
    return parts


def switched_objective(
    model: LAFE,
    con: ConLoss,
    recipe: Recipe,
    x: Tensor,
    labels: Tensor,
    settings: Sequence[Switches],
) -> dict[str, Tensor]:
    """The paper's losses, each pair under a setting of its own, and one that gives D a task.

    Random settings keep every branch alive: each has steps in which the prediction hangs on it.
    The classifier on D alone should name the class (``alone``).

    Shape: x (B, 3, S, S), labels (B,), a setting per pair of neighbours -> scalars.
    """
    assert model.discriminative is not None
    assert model.confusable is not None
    features = model.backbone(x)
    mask = mask_of(settings).repeat_interleave(2, 0)[: len(x)].to(x.device)
    with _head_precision(recipe, x):
        D = mixed_attribute(model.discriminative, features, mask)
        C = mixed_attribute(model.confusable, features, mask)
    D, C = D.float(), C.float()
    logits = model.classify(model.final(features[-1], D, C))
    parts = {"cls": cls_loss(logits, labels, recipe.smoothing)}
    parts |= _feature_losses(con, recipe, D, C, labels)
    alone = D.flatten(1).any(1)  # photos that have a D
    if recipe.alone_loss and alone.any():
        parts["alone"] = recipe.alone_loss * _cls(model, D[alone], labels[alone], recipe)
    return parts


def _head_precision(recipe: Recipe, x: Tensor) -> AbstractContextManager[Any]:
    """bfloat16 if the recipe says so, else whatever precision the trainer runs at."""
    return torch.autocast(x.device.type, torch.bfloat16) if recipe.head_bf16 else nullcontext()


def _cls(model: LAFE, features: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    return cls_loss(model.classify(features), labels, recipe.smoothing)


def _feature_losses(
    con: ConLoss, recipe: Recipe, D: Tensor, C: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    parts = {}
    if recipe.dis_loss:
        parts["dis"] = recipe.dis_loss * dis_loss(D, labels)
    if recipe.con_loss:
        parts["con"] = recipe.con_loss * con(C)
    return parts
