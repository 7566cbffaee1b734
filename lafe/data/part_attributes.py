"""CUB-200-2011's attributes by part, in words: "throat: black against blue"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lafe.data.cub import FOLDER
from lafe.data.dataset import DataError
from lafe.data.layout import find, locate
from lafe.data.names import key

PARTS: Mapping[str, tuple[str, ...]] = {
    "back": ("back_color", "back_pattern"),
    "beak": ("bill_color", "bill_shape", "bill_length"),
    "belly": ("belly_color", "belly_pattern"),
    "breast": ("breast_color", "breast_pattern"),
    "crown": ("crown_color",),
    "forehead": ("forehead_color",),
    "eye": ("eye_color",),
    "leg": ("leg_color",),
    "wing": ("wing_color", "wing_pattern", "wing_shape"),
    "nape": ("nape_color",),
    "tail": ("upper_tail_color", "under_tail_color", "tail_pattern", "tail_shape"),
    "throat": ("throat_color",),
}
"""The groups of attributes that are about each part."""

_FILES = (
    "classes.txt",
    "attributes/attributes.txt|../attributes.txt",
    "attributes/class_attribute_labels_continuous.txt",
)


@dataclass(frozen=True, eq=False)
class Attributes:
    """The share of people who saw each attribute in a class.

    Attributes:
        groups: what each attribute is about, such as ``throat_color``.
        values: what it says, such as ``black``.
        seen: (classes, attributes), in percent.
        rows: of each class in ``seen``, by the key of its name.
    """

    groups: tuple[str, ...]
    values: tuple[str, ...]
    seen: np.ndarray
    rows: Mapping[str, int]

    def contrast(self, part: str, a: str, b: str) -> str | None:
        """The attribute of a part that tells two classes apart the most, in words.

        Args:
            part: one of ``PARTS``.
            a, b: names of classes.

        Returns:
            "black against blue"; None where most people saw the same in both, or a class is not
            known.
        """
        if not {key(a), key(b)} <= self.rows.keys():
            return None
        first, second = (self.seen[self.rows[key(name)]] for name in (a, b))
        told = [self._told(group, first, second) for group in PARTS[part] if group in self.groups]
        best = max((t for t in told if t is not None), default=None)
        return best and best[1]

    def _told(self, group: str, a: np.ndarray, b: np.ndarray) -> tuple[float, str] | None:
        """The distance of two classes in a group, and what most people saw in each."""
        own = [i for i, each in enumerate(self.groups) if each == group]
        p, q = own[int(a[own].argmax())], own[int(b[own].argmax())]
        if p == q:
            return None
        words = [self.values[i].replace("_", " ") for i in (p, q)]
        return float(np.abs(a[own] - b[own]).sum()), " against ".join(words)


def read_attributes(root: str | Path) -> Attributes:
    """The attributes of the folder of CUB-200-2011 that is ``root`` or is in it.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    home = locate(root, FOLDER, _FILES)
    classes, names, table = (find(home, name) for name in _FILES)
    try:
        seen = np.loadtxt(table, ndmin=2)
        attributes = [text.removeprefix("has_").split("::", 1) for _, text in _rows(names)]
        numbered = {int(number): text for number, text in _rows(classes)}
    except (OSError, ValueError) as error:
        raise DataError(f"The attributes in {home} cannot be read ({error}).") from error
    if seen.shape[1] != len(attributes) or max(numbered) > len(seen):
        raise DataError(f"{table} does not fit {names} and {classes}.")
    rows = {key(_bare(text)): number - 1 for number, text in numbered.items()}
    groups, values = zip(*attributes, strict=True)
    return Attributes(tuple(groups), tuple(values), seen, rows)


def _rows(path: Path) -> Iterator[Sequence[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield line.strip().split(" ", 1)


def _bare(name: str) -> str:
    """A class's name without CUB's number."""
    return name.split(".", 1)[-1]
