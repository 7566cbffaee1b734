"""Looks of two classes in words: where it is known, what people see differs between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lafe.data.dataset import DataError
from lafe.data.names import key
from lafe.data.part_attributes import PARTS, read_attributes
from lafe.data.partbirds import CLASSES, differing

LEAST = 25
"""Points by which the shares of people who saw an attribute must differ."""


def differences(kind: str, a: str, b: str, root: str | Path | None = None) -> list[str]:
    """Say how two classes differ, strongest first; nothing where it is not known.

    Args:
        kind: the data set, ``"partbirds"`` or ``"cub"``.
        a, b: the classes.
        root: folder of CUB-200-2011 or its parent, whose attributes people named.
    """
    if kind == "partbirds":
        return _drawn(a, b)
    if kind == "cub" and root is not None:
        try:
            return _seen(Path(root), a, b)
        except DataError:  # a copy without attributes
            return []
    return []


def by_part(kind: str, a: str, b: str, root: str | Path | None = None) -> dict[str, str]:
    """The difference of two classes in each part of the bird: "black against blue".

    Args: as of :func:`differences`.

    Raises:
        DataError: ``root`` is given, and its attributes cannot be read.
    """
    if kind == "partbirds":
        birds = {key(bird.name): bird for bird in CLASSES}
        if not {key(a), key(b)} <= birds.keys():
            return {}
        one, other = birds[key(a)], birds[key(b)]
        return {p: f"{one.parts[p]} against {other.parts[p]}" for p in differing(one, other)}
    if root is None:
        return {}
    known = read_attributes(root)
    words = {part: known.contrast(part, a, b) for part in PARTS}
    return {part: said for part, said in words.items() if said}


def _drawn(a: str, b: str) -> list[str]:
    birds = {key(bird.name): bird for bird in CLASSES}
    if not {key(a), key(b)} <= birds.keys():
        return []
    one, other = birds[key(a)], birds[key(b)]
    return [
        f"{part}: {one.parts[part]} (not: {other.parts[part]})" for part in differing(one, other)
    ]


def _seen(root: Path, a: str, b: str, most: int = 6) -> list[str]:
    """``has_throat_color::black`` -> ``throat color black: named by 81 % of people, ...``."""
    known = read_attributes(root)
    if not {key(a), key(b)} <= known.rows.keys():
        return []
    one, other = (known.seen[known.rows[key(name)]] for name in (a, b))
    apart = np.abs(one - other)
    return [
        f"{known.groups[i]} {known.values[i]}: ".replace("_", " ")
        + f"named by {one[i]:.0f} % of people, of the other by {other[i]:.0f} %"
        for i in np.argsort(-apart, kind="stable")[:most].tolist()
        if apart[i] >= LEAST
    ]
