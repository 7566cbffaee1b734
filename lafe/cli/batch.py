"""Many photos, one after the other: predictions, accuracies, one setting against another.

Memory does not grow with the number of photos; one that cannot be read is reported and passed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lafe.branches import Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.photo import PhotoError, open_photo
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import looks_unknown

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Job:
    """A photo to do, with its true class where its folder names one."""

    path: Path
    label: int | None = None


def jobs(paths: Sequence[str | Path], card: Card) -> list[Job]:
    """The photos that paths name: files, and folders with all that is below them.

    A photo in a folder that is named like a class (with or without a number in front, underscores
    for spaces) has that class as its label.

    Raises:
        lafe.PhotoError: a path that does not exist, or folders without a photo.
    """
    labels = {_plain(name): i for i, name in enumerate(card.classes)}
    found: list[Job] = []
    for path in map(Path, paths):
        if path.is_file():
            found.append(Job(path))
            continue
        if not path.is_dir():
            raise PhotoError(f"There is no photo or folder {path}.")
        for folder, subfolders, files in os.walk(path):
            subfolders.sort()
            found += [
                Job(Path(folder, name), labels.get(_plain(Path(folder).name)))
                for name in sorted(files)
                if name.lower().endswith(PHOTO_ENDINGS)
            ]
    if not found:
        raise PhotoError(
            f"No photo ({', '.join(PHOTO_ENDINGS)}) is in {', '.join(map(str, paths))}."
        )
    return found


def _plain(name: str) -> str:
    """A class's name for comparison: case, separators and CUB's number in front do not count."""
    head, dot, tail = name.partition(".")
    name = tail if dot and head.isdigit() else name
    return "".join(c for c in name.lower() if c.isalnum())


def prepared(model: Trained, todo: Sequence[Job]) -> Iterator[tuple[Job, Prepared | PhotoError]]:
    """Each photo with its features, or with the reason why it cannot be read."""
    for job in todo:
        try:
            photo = open_photo(job.path)
        except PhotoError as error:
            yield job, error
        else:
            yield job, prepare(model, photo)


def prediction(photo: Prepared, switches: Switches, top: int = 5) -> dict[str, Any]:
    """One photo's top classes under a setting."""
    logits, card = photo.logits(switches), photo.card
    probability, index = logits.softmax(0).topk(min(top, len(logits)))
    return {
        "switches": str(switches),
        "class": card.classes[int(index[0])],
        "probability": float(probability[0]),
        "familiar": not looks_unknown(photo),
        "top": [
            {"class": card.classes[i], "probability": p}
            for i, p in zip(index.tolist(), probability.tolist(), strict=True)
        ],
    }


@dataclass
class Tally:
    """Counts over photos: who is right, and how often two settings agree."""

    photos: int = 0
    labelled: int = 0
    agree: int = 0
    right: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    only: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})

    def add(self, label: str | None, a: str, b: str | None) -> None:
        """Count a photo's predicted classes under A and, if there is one, B."""
        self.photos += 1
        self.agree += a == b
        if label is None:
            return
        self.labelled += 1
        self.right["A"] += a == label
        self.right["B"] += b == label
        if b is not None and (a == label) != (b == label):
            self.only["A" if a == label else "B"] += 1

    def lines(self, versus: bool) -> list[str]:
        """What there is to say, for people."""
        said = []
        if self.labelled:
            said.append(f"A is right on {_share(self.right['A'], self.labelled)} with a label.")
        if versus and self.photos:
            said.append(f"A and B agree on {_share(self.agree, self.photos)}.")
        if versus and self.labelled:
            said.append(f"B is right on {_share(self.right['B'], self.labelled)} with a label.")
            said.append(f"Only A is right on {self.only['A']}, only B on {self.only['B']}.")
        return said


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} photos ({100 * part / whole:.1f} %)"
