"""Many photos, one after the other: predictions, accuracies, one setting against another.

Memory does not grow with the number of photos; one that cannot be read is reported and passed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lafe.branches import Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.names import label_of, labels_of
from lafe.data.photo import PhotoError, open_photo
from lafe.data.walk import walk
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import looks_unknown


@dataclass(frozen=True)
class Job:
    """A photo to do, with its true class where its folder names one."""

    path: Path
    label: int | None = None


@dataclass(frozen=True)
class Jobs:
    """All photos to do, each once, and what was said of the rest."""

    todo: tuple[Job, ...]
    said: str


def jobs(paths: Sequence[str | Path], card: Card) -> Jobs:
    """The photos that paths name: files, and folders with all that is below them.

    A photo's label is the class that its folder is named after, or the nearest folder above that is
    named too, up to the one that was given.

    Raises:
        lafe.PhotoError: a path that does not exist, or folders without a photo.
    """
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            raise PhotoError(f"There is no photo or folder {path}.")
    found = walk(given)
    if not found.photos:
        raise PhotoError(
            f"No photo (JPEG, PNG, WebP) is in {', '.join(map(str, given))}.  {found.said}".rstrip()
        )
    labels = labels_of(card.classes)
    tops = {_absolute(path if path.is_dir() else path.parent) for path in given}
    return Jobs(tuple(Job(path, _label(path, tops, labels)) for path in found.photos), found.said)


def _label(photo: Path, tops: Set[Path], labels: dict[str, int]) -> int | None:
    folder = _absolute(photo).parent
    while (label := label_of(folder.name, labels)) is None and folder not in tops:
        folder = folder.parent
    return label


def _absolute(path: Path) -> Path:
    """An absolute path, without ``.`` and ``..``; links keep the names that they have here."""
    return Path(os.path.abspath(path))


def prepared(model: Trained, todo: Sequence[Job]) -> Iterator[tuple[Job, Prepared | PhotoError]]:
    """Each photo with its features, or with the reason why it cannot be read."""
    for job in todo:
        try:
            photo = open_photo(job.path)
        except PhotoError as error:
            yield job, error
        else:
            yield job, prepare(model, photo)


def prediction(
    photo: Prepared, switches: Switches, top: int = 5, among: Sequence[int] | None = None
) -> dict[str, Any]:
    """One photo's top classes under a setting, of all or only among some."""
    probabilities, card = photo.probabilities(switches, among=among), photo.card
    possible = len(probabilities) if among is None else len(set(among))
    probability, index = probabilities.topk(min(top, possible))
    return {
        "switches": str(switches),
        "class": card.classes[int(index[0])],
        "label": int(index[0]),
        "probability": float(probability[0]),
        "calibrated": photo.calibrated,
        "familiar": not looks_unknown(photo),
        "top": [
            {"class": card.classes[i], "label": i, "probability": p}
            for i, p in zip(index.tolist(), probability.tolist(), strict=True)
        ],
    }


@dataclass
class Tally:
    """Counts over photos: who is right, and how often two settings agree.  Classes are labels."""

    photos: int = 0
    labelled: int = 0
    agree: int = 0
    right: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    only: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})

    def add(self, label: int | None, a: int, b: int | None) -> None:
        """Count a photo's predicted class under A and, if there is one, B."""
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
        """The counts as sentences."""
        said = []
        if self.labelled and (without := self.photos - self.labelled):
            said.append(f"The folders of {without} photos name no class of this model.")
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
