"""A model that was trained, with what its checkpoint says of it."""

from __future__ import annotations

from torch import Tensor

from lafe.checkpoints.card import Card
from lafe.data.preprocess import Preprocess
from lafe.model.lafe import LAFE


class Trained(LAFE):
    """A LAFE that knows its classes and how it reads a photo, as :func:`lafe.load` gives it.

    Args:
        card: what the checkpoint says of itself.
        class_means: pooled ``F_5`` of the training photos, (K, C_5), by which unknown photos are
            told; they follow the model to another device.

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

    def __init__(self, card: Card, class_means: Tensor | None = None) -> None:
        super().__init__(**card.model)
        self.card = card
        self.preprocess = Preprocess(
            card.resize, card.input_size, tuple(card.mean), tuple(card.std)
        )
        self.register_buffer("class_means", class_means, persistent=False)
