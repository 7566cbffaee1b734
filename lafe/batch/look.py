"""A batch of photos under a model: the backbone and the gates once, each attribute once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from lafe.branches import SIDES, Switches
from lafe.checkpoints.trained import Trained
from lafe.explain.prepare import Prepared, refuse_training

Precision: TypeAlias = Literal["float32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16")

BATCH = {"cpu": 2, "cuda": 64, "mps": 16}
"""Photos in a batch unless one says otherwise, by the kind of device."""

WORKERS = {"cpu": 1, "cuda": 8, "mps": 2}
"""Threads that decode ahead unless one says otherwise, by the kind of device."""


class Looked:
    """Photos whose features are computed once, (B, C_i, H_i, W_i); settings start from them.

    What :class:`lafe.explain.prepare.Prepared` is for one photo with all that can be asked of it,
    this is for the few things that are asked of many.
    """

    def __init__(self, model: Trained, x: Tensor) -> None:
        self.model, self.x = model, x
        self.features = model.features(x)
        self.gates = model.gates(self.features)
        self._attributes: dict[tuple[str, Switches], Tensor | None] = {}
        self._final: dict[Switches, Tensor] = {}
        self._logits: dict[Switches, Tensor] = {}

    def attribute(self, side: str, switches: Switches) -> Tensor | None:
        """``D`` (``"dis"``) or ``C`` (``"con"``), (B, C_5, H_5, W_5); None where it is off."""
        on = switches.side(side) & Switches.only(*self.gates)
        if (side, on) not in self._attributes:
            is_off = side not in self.model.sides or not len(on)
            found = None if is_off else self.model.sides[side](self.features, on, self.gates)
            self._attributes[side, on] = found
        return self._attributes[side, on]

    def final(self, switches: Switches) -> Tensor:
        """``F_5`` of a setting, (B, C_5, H_5, W_5)."""
        if switches not in self._final:
            D, C = (self.attribute(side, switches) for side in SIDES)
            self._final[switches] = self.model.final(self.features[-1], D, C)
        return self._final[switches]

    def logits(self, switches: Switches) -> Tensor:
        """Logits (B, K) float32 of a setting."""
        if switches not in self._logits:
            self._logits[switches] = self.model.classify(self.final(switches)).float()
        return self._logits[switches]

    def photo(self, index: int) -> Prepared:
        """One of the photos, for what is asked of one photo only."""
        here = slice(index, index + 1)
        f3, f4, f5 = (f[here] for f in self.features)
        gates = {branch: gate[here] for branch, gate in self.gates.items()}
        return Prepared(self.model, self.x[here], (f3, f4, f5), MappingProxyType(gates))


def look(model: Trained, photos: Sequence[Tensor], precision: Precision = "float32") -> Looked:
    """The features and gates of photos, each as ``model.preprocess`` gives it, (1, 3, S, S).

    Args:
        model: in eval mode.
        photos: at least one; they are moved to where the model is.
        precision: ``bf16`` lets PyTorch compute in bfloat16 what is safe to, which gates are not.

    Raises:
        LafeError: the model is in training mode.
    """
    refuse_training(model)
    device = model.classifier.weight.device
    x = torch.cat(list(photos)).contiguous(memory_format=torch.channels_last)
    if device.type == "cuda":
        x = x.pin_memory()
    x = x.to(device, non_blocking=True)
    with torch.no_grad(), reduced(device, precision):
        return Looked(model, x)


def reduced(device: torch.device, precision: Precision) -> torch.autocast | nullcontext[None]:
    """A context in which what is computed is in this precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
