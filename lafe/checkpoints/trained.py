"""A model that was trained, with what its checkpoint says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch
from lafe.checkpoints.card import Card
from lafe.data.preprocess import Preprocess
from lafe.model.lafe import LAFE


class Trained(LAFE):
    """A LAFE that knows its classes and how it reads a photo, as :func:`lafe.load` gives it.

    What was measured on training and validation photos follows the model to another device; each is
    ``None`` (or empty) until ``lafe evaluate`` has measured it.

    Args:
        card: what the checkpoint says of itself.
        class_means: pooled ``F_5`` of the training photos, (K, C_5), by which unknown photos are
            told.
        temperatures: (4096,), by :attr:`lafe.Switches.index`: what the logits of a setting are
            divided by before probabilities are shown.
        mean_gates: the mean gate over training photos of every branch, (1, 1, H_i, W_i)
            of a region branch, (1, C_i, 1, 1) of a channel branch.

    Raises:
        ValueError, lafe.model.backbones.BackboneError: a model that cannot be built.

    Example:
        >>> model = lafe.load("birds")
        >>> logits = model(model.preprocess(lafe.open_photo("photo.jpg")))
        >>> model.card.classes[logits.argmax()]
    """

    card: Card
    preprocess: Preprocess
    """Photo to input (1, 3, S, S), and the part of a photo that the model sees."""
    class_means: Tensor | None
    temperatures: Tensor | None

    def __init__(
        self,
        card: Card,
        *,
        class_means: Tensor | None = None,
        temperatures: Tensor | None = None,
        mean_gates: Mapping[Branch, Tensor] | None = None,
    ) -> None:
        super().__init__(**card.model)
        self.card = card
        self.preprocess = Preprocess(
            card.resize, card.input_size, tuple(card.mean), tuple(card.std)
        )
        # Not persistent: a state dict holds the weights of LAFE and nothing else.
        self.register_buffer("class_means", class_means, persistent=False)
        self.register_buffer("temperatures", temperatures, persistent=False)
        for branch, gate in (mean_gates or {}).items():
            self.register_buffer(f"mean_{branch}", gate, persistent=False)

    def _repr_html_(self) -> str:
        """The model's card in a notebook."""
        return self.card._repr_html_()

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """The preprocessing in timm's words, for ``timm.data.resolve_model_data_config(model)``."""
        p = self.preprocess
        share = p.input_size / p.resize
        while math.floor(p.input_size / share) < p.resize:  # timm divides, and rounds down
            share = math.nextafter(share, 0)
        return {
            "input_size": (3, p.input_size, p.input_size),
            "interpolation": "bilinear",
            "mean": p.mean,
            "std": p.std,
            "crop_pct": share,
            "crop_mode": "squash",
            "num_classes": len(self.card.classes),
        }

    @property
    def mean_gates(self) -> dict[Branch, Tensor]:
        """The mean gate over training photos of every branch."""
        gates = {branch: getattr(self, f"mean_{branch}", None) for branch in EVERY_BRANCH}
        return {branch: gate for branch, gate in gates.items() if gate is not None}
