"""A data set as the project sees it: photos on disk, a label each, and the names of the classes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lafe.data.names import same
from lafe.data.photo import MAX_BYTES, PhotoError, open_photo
from lafe.errors import LafeError


class DataError(LafeError):
    """A data set is missing or broken; the message says what is expected where."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a photo in a larger file.

    Attributes:
        file: that holds them.
        offset, size: where they begin, and how many they are.
    """

    file: Path
    offset: int
    size: int

    def read(self, most: int | None = None) -> bytes:
        """The bytes, or the first ``most`` of them; OSError if the file cannot be read."""
        with open(self.file, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size if most is None else min(self.size, most))


@dataclass(frozen=True, eq=False)
class PhotoDataset:
    """One split of a data set; nothing is decoded before it is asked for.

    Args:
        name: the data set's name.
        paths: the N photo files.
        labels: N indices into `classes`.
        classes: the class names in label order.
        boxes: (N, 4) x, y, width, height of the object in pixels; CUB only.
        parts: (N, P, 3) x, y in pixels and visible (0 or 1); CUB only.
        home: the folder that the data set lies in.
        notes: what a reader of its figures should hear, a sentence each.
        spans: where the photos lie in tar shards, whose paths then go on inside of a shard.

    Raises:
        DataError: the split is empty, a listed photo does not exist, or two classes have names
            that are equal but for case and separators.
    """

    name: str
    paths: list[Path]
    labels: list[int]
    classes: list[str]
    boxes: torch.Tensor | None = None
    parts: torch.Tensor | None = None
    home: Path = Path()
    notes: tuple[str, ...] = ()
    spans: Sequence[Span] | None = None

    def __post_init__(self) -> None:
        if not self.paths:
            raise DataError(f"{self.name}: this split holds no photo.")
        files = self.paths if self.spans is None else {span.file: None for span in self.spans}
        absent = [path for path in files if not path.is_file()]
        if absent:
            raise DataError(
                f"{self.name}: {len(absent)} of {len(self.paths)} listed photos are absent; "
                f"the first is {absent[0]}."
            )
        if pair := same(self.classes):
            raise DataError(
                f"{self.name}: the classes {pair[0]!r} and {pair[1]!r} differ in case or "
                "separators only: rename one, or put their photos together."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def photo(self, index: int) -> Image.Image:
        """Photo `index`, as :func:`lafe.open_photo` gives it.

        Raises:
            DataError: what that refuses, with the name of the file.
        """
        path = self.paths[index]
        try:
            source = path if self.spans is None else self.spans[index].read(MAX_BYTES + 1)
            return open_photo(source, patience=None)  # by as many threads as read it
        except (PhotoError, OSError) as error:
            raise DataError(f"{self.name}: {path} cannot be used.  {error}") from error

    def subset(self, indices: Sequence[int]) -> PhotoDataset:
        """The photos `indices`, in that order, with the same classes."""
        chosen = list(indices)
        return replace(
            self,
            paths=[self.paths[i] for i in chosen],
            labels=[self.labels[i] for i in chosen],
            boxes=None if self.boxes is None else self.boxes[chosen],
            parts=None if self.parts is None else self.parts[chosen],
            spans=None if self.spans is None else [self.spans[i] for i in chosen],
        )

    def lines(self) -> list[str]:
        """A line a photo: its class and its path from `home`; the same on every machine.

        Bytes of a file's name that are no Unicode are escaped.
        """
        lines = (
            f"{self.classes[label]}\t{Path(os.path.relpath(path, self.home)).as_posix()}"
            for path, label in zip(self.paths, self.labels, strict=True)
        )
        return [line.encode("utf-8", "backslashreplace").decode() for line in lines]

    def listing(self) -> list[str]:
        """The lines of the photos, sorted."""
        return sorted(self.lines())

    def digests(self) -> list[str]:
        """The first 16 hexadecimal digits of the SHA-256 of each photo's bytes."""
        photos = (
            (path.read_bytes() for path in self.paths)
            if self.spans is None
            else (span.read() for span in self.spans)
        )
        return [hashlib.sha256(photo).hexdigest()[:16] for photo in photos]

    def without(self, marks: Sequence[str], left_out: Collection[str], why: str) -> PhotoDataset:
        """The photos whose mark is not among some, with a note on the others.

        Args:
            marks: one of each photo, such as its line or its digest.
            left_out: the marks of those that go.
            why: the note's words after their number.

        Raises:
            DataError: none is left.
        """
        gone = [i for i, mark in enumerate(marks) if mark in left_out]
        if not gone:
            return self
        note = f"{len(gone)} of {len(self)} photos are left out: {why}; the first is "
        note += f"{self.paths[gone[0]]}."
        if len(gone) == len(self):
            raise DataError(f"{self.name}: {note}  Add others.")
        kept = self.subset(sorted(set(range(len(self))) - set(gone)))
        return replace(kept, notes=(*self.notes, note))

    def fingerprint(self) -> str:
        """SHA-256 of the class names in label order and of the listing, in hexadecimal digits."""
        lines = [*self.classes, *self.listing()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def members_of(labels: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Each label that there is, in order, with the photos that have it, in order."""
    each = np.asarray(labels)
    order = np.argsort(each, kind="stable")
    found, starts = np.unique(each[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def summary(splits: Mapping[str, PhotoDataset], most: int = 30) -> str:
    """Classes and their photos in each split, as a table for people, and the notes.

    Args:
        splits: of one data set, by name.
        most: classes that are listed; of more, those with the fewest photos.
    """
    first = next(iter(splits.values()))
    counts = {name: Counter(split.labels) for name, split in splits.items()}
    total = sum(counts.values(), Counter[int]())
    shown = sorted(range(len(first.classes)), key=lambda label: total[label])[:most]
    head = ", ".join(f"{len(split):,} {name}" for name, split in splits.items())
    lines = [f"{first.name}: {len(first.classes)} classes; photos: {head}"]
    width = max(len(first.classes[label]) for label in shown)
    for label in sorted(shown):
        row = "".join(f"{counts[name][label]:>8}" for name in splits)
        lines.append(f"  {first.classes[label]:{width}}{row}")
    if left := len(first.classes) - len(shown):
        lines.append(f"  ... and {left} classes with more photos")
    lines += dict.fromkeys(note for split in splits.values() for note in split.notes)
    return "\n".join(lines)
