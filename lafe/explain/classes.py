"""The class that somebody means."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from lafe.checkpoints.trained import Trained
from lafe.data.names import label_of, labels_of
from lafe.errors import LafeError
from lafe.model.lafe import LAFE


class ClassError(LafeError):
    """A class that a model does not know, or a name where none has names."""


def index_of(model: LAFE, wanted: int | str) -> int:
    """The index of a class.

    Args:
        model: whose class it is.
        wanted: the index, or the name, whatever its case and separators.

    Raises:
        ClassError: there is no such class, or the model has no names.
    """
    count = model.classifier.out_features
    if not isinstance(wanted, str):
        if not 0 <= wanted < count:
            raise ClassError(f"There is no class {wanted}: this model knows 0 to {count - 1}.")
        return int(wanted)
    if not isinstance(model, Trained):
        raise ClassError(f"This model has no names of classes: give an index, 0 to {count - 1}.")
    found = label_of(wanted, labels_of(model.card.classes))
    if found is None:
        near = get_close_matches(wanted, model.card.classes, 3, 0.4)
        hint = f": did you mean {', '.join(map(repr, near))}?" if near else "."
        raise ClassError(f"{model.card.name!r} knows no class {wanted!r}{hint}")
    return found


def name_of(model: LAFE, index: int) -> str:
    """The name of a class; its number where a model has no names."""
    return names_of(model)[index]


def names_of(model: LAFE) -> Sequence[str]:
    """The names of all classes, in label order; their numbers where a model has no names."""
    if isinstance(model, Trained):
        return model.card.classes
    return [f"class {i}" for i in range(model.classifier.out_features)]
