"""Probabilities that people are shown, from logits."""

from __future__ import annotations

from torch import Tensor

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.model.lafe import LAFE


def temperatures(model: LAFE) -> Tensor | None:
    """The temperature of every setting, (4096,), by ``Switches.index``; None if not calibrated."""
    return model.temperatures if isinstance(model, Trained) else None


def probabilities(
    model: LAFE, logits: Tensor, switches: Switches, *, calibrated: bool = True
) -> Tensor:
    """Softmax of a setting's logits (..., K), divided by the setting's temperature.

    Args:
        model: that gave them.
        logits: under the setting.
        switches: the setting.
        calibrated: ``False`` for the softmax of the logits as they are, which is also what a model
            without temperatures gives.
    """
    known = temperatures(model)
    scaled = logits.float()
    if calibrated and known is not None:
        scaled = scaled / known[switches.index]
    return scaled.softmax(-1)
