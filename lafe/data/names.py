"""Names of classes: when two of them are one, and which one a folder means."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_SEPARATORS = re.compile(r"[\s_.\-]+")
_NUMBERED = re.compile(r"\d{3}\.(?=[^\W\d_])")  # CUB's folders: 001.Black_footed_Albatross


def key(name: str) -> str:
    """A name without its case and separators (space, ``_``, ``-``, ``.``), composed.

    Whatever else tells two names apart stays: ``C``, ``C++`` and ``C#`` have three keys.
    """
    # Unicode's canonical caseless match; systems write the same é as one character or as two.
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return _SEPARATORS.sub("", unicodedata.normalize("NFC", decomposed))


def shown(folder: str) -> str:
    """The name of a class whose folder has this name: spaces for underscores, composed."""
    return unicodedata.normalize("NFC", folder.replace("_", " "))


def same(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two names that are equal but for case and separators."""
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(key(name), name)) is not name:
            return first, name
    return None


def labels_of(classes: Sequence[str]) -> dict[str, int]:
    """Key to label; keys that several classes have are left out."""
    keys = [key(name) for name in classes]
    counts = Counter(keys)
    return {k: label for label, k in enumerate(keys) if counts[k] == 1}


def label_of(folder: str, labels: dict[str, int]) -> int | None:
    """The label of the class that a folder is named after, with or without CUB's number."""
    found = labels.get(key(folder))
    if found is None and (number := _NUMBERED.match(folder)):
        found = labels.get(key(folder[number.end() :]))
    return found
