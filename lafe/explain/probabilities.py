"""Probabilities that people are shown, from logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.model.lafe import LAFE


def temperatures(model: LAFE) -> Tensor | None:
    """The temperature of every setting, (4096,), by ``Switches.index``; None if not calibrated."""
    return model.temperatures if isinstance(model, Trained) else None


def probabilities(
    model: LAFE,
    logits: Tensor,
    switches: Switches,
    *,
    calibrated: bool = True,
    among: Sequence[int] | None = None,
) -> Tensor:
    """Softmax of a setting's logits (..., K), divided by the setting's temperature.

    Args:
        model: that gave them.
        logits: under the setting.
        switches: the setting.
        calibrated: ``False`` for the softmax of the logits as they are, which is also what a model
            without temperatures gives.
        among: only these classes are possible; the others get 0.  All by default.

    Raises:
        ValueError: no class, or one that is not there.
    """
    known = temperatures(model)
    scaled = logits.float()
    if calibrated and known is not None:
        scaled = scaled / known[switches.index]
    if among is not None:
        if not among or not all(0 <= i < scaled.shape[-1] for i in among):
            raise ValueError(f"Choose one class or more, of 0 to {scaled.shape[-1] - 1}.")
        ruled_out = torch.ones(scaled.shape[-1], dtype=torch.bool, device=scaled.device)
        ruled_out[list(among)] = False
        scaled = scaled.masked_fill(ruled_out, -torch.inf)
    return scaled.softmax(-1)
