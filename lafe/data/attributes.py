"""Looks of two classes in words: where it is known, what people see differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lafe.data.dataset import DataError
from lafe.data.layout import locate
from lafe.data.names import key
from lafe.data.partbirds import CLASSES, differing

FOLDER = "CUB_200_2011"
NAMES, SEEN = "attributes/attributes.txt", "attributes/class_attribute_labels_continuous.txt"
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
        except (DataError, OSError, ValueError):  # a copy without attributes
            return []
    return []


def _drawn(a: str, b: str) -> list[str]:
    birds = {key(bird.name): bird for bird in CLASSES}
    if not {key(a), key(b)} <= birds.keys():
        return []
    one, other = birds[key(a)], birds[key(b)]
    return [
        f"{part}: {one.parts[part]} (not: {other.parts[part]})" for part in differing(one, other)
    ]


def _seen(root: Path, a: str, b: str, most: int = 6) -> list[str]:
    folder = locate(root, FOLDER, ("classes.txt", NAMES, SEEN))
    rows = {
        key(line.split(".", 1)[1]): i
        for i, line in enumerate((folder / "classes.txt").read_text().splitlines())
    }
    if not {key(a), key(b)} <= rows.keys():
        return []
    names = [line.split(maxsplit=1)[1] for line in (folder / NAMES).read_text().splitlines()]
    shares = np.loadtxt(folder / SEEN)
    one, other = shares[rows[key(a)]], shares[rows[key(b)]]
    order = np.argsort(-np.abs(one - other), kind="stable")
    return _words(names, one, other, [int(i) for i in order if abs(one[i] - other[i]) >= LEAST])[
        :most
    ]


def _words(
    names: Sequence[str], one: np.ndarray, other: np.ndarray, order: Sequence[int]
) -> list[str]:
    """``has_throat_color::black`` -> ``throat color black: seen by 81 % of people, not by 3 %``."""
    found = []
    for i in order:
        part, _, value = names[i].removeprefix("has_").partition("::")
        what = f"{part.replace('_', ' ')} {value.replace('_', ' ')}"
        found.append(f"{what}: named by {one[i]:.0f} % of people, of the other by {other[i]:.0f} %")
    return found
