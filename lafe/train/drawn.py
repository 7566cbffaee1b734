"""Settings of the switches that a training drew: of the others a model was told nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lafe.branches import Switches
from lafe.train.objectives import draw
from lafe.train.recipe import Recipe, recipe_from


def settings_field(
    recipe: Mapping[str, Any], training: Mapping[str, Any], ranks: int = 1
) -> dict[str, str]:
    """The field of a card's ``training`` that ``Card.drew`` reads; empty if not known.

    The runs that a run started from count if it took their branches along.

    Args:
        recipe, training: fields of the card.
        ranks: how many processes shared the photos.
    """
    said = {"photos", "best_epoch"} <= training.keys()
    if not said or "switch_share" not in recipe:  # recipes of version 0.1 drew in another way
        return {}
    known = recipe_from(dict(recipe))
    found = drawn_settings(known, training["photos"], training["best_epoch"], ranks)
    mask = sum(1 << switches.index for switches in found)
    if (before := training.get("started_from")) and known.init_branches:
        earlier = before["training"]
        earlier = settings_field(before["recipe"], earlier) | earlier
        if "settings" not in earlier:
            return {}
        mask |= int(earlier["settings"], 16)
    return {"settings": f"{mask:01024x}"}


def drawn_settings(recipe: Recipe, photos: int, epochs: int, ranks: int = 1) -> set[Switches]:
    """The settings that a run drew up to the end of an epoch: seed and step alone decide them.

    Args:
        recipe: of the run.
        photos: that it was trained on.
        epochs: until which its weights were kept.
        ranks: how many processes shared the photos.
    """
    places = -(-photos // 2)  # pairs of neighbours, as the sampler deals them
    batches = -(-places // (recipe.batch_size // ranks // 2 * ranks))
    fewest, more = divmod(places, batches * ranks)
    found: set[Switches] = set()
    for step in range(epochs * batches):
        pairs = fewest + (step % batches * ranks < more)  # of the first rank: none has more
        found.update(draw(recipe, step, max(1, pairs)).settings)
    return found
