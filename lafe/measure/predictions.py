"""Predictions on test photos, kept as text: what was measured can be worked out without weights.

One CSV file a run, ``results/predictions/NAME.csv`` beside the checkpoint's folder: lines that
begin with ``#`` say where it comes from, then comes a row a photo.  Classes are places in the
card's list.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from lafe.data import PhotoDataset
from lafe.errors import LafeError
from lafe.files import write_text
from lafe.measure.bootstrap import Interval, interval
from lafe.measure.outputs import Answers
from lafe.measure.provenance import Provenance

FOLDER = Path("results", "predictions")
FULL, PLAIN, GATES = "full", "trained plain backbone", "gates: "
"""Names of columns: the full setting, another model, and how that of a stand-in begins."""

_FIRST = ["photo", "label"]


class PredictionsError(LafeError):
    """A file of predictions that cannot be used; the message names it and says what to do."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The classes that N photos were given.

    Attributes:
        photos: names of the photos.
        labels: (N,) int, the true classes.
        given: by setting, stand-in or other model, the predicted classes, (N, draws) int.
    """

    photos: tuple[str, ...]
    labels: np.ndarray
    given: Mapping[str, np.ndarray]

    def right(self, name: str = FULL) -> np.ndarray:
        """The share of draws that name the class of each photo, (N,)."""
        shares: np.ndarray = (self.given[name] == self.labels[:, None]).mean(1)
        return shares

    def changed(self, name: str) -> float:
        """The share of predictions that are not those of the full setting."""
        return float((self.given[name] != self.given[FULL]).mean())

    def cost(self, name: str) -> Interval:
        """Top-1 of the full setting less that of another column, paired over photos."""
        return interval(self.right() - self.right(name))


def difference(ours: Predictions, theirs: Predictions) -> Interval:
    """Top-1 of one run less that of another under the full setting, paired over photos.

    Raises:
        PredictionsError: they are not of the same photos, with the same labels.
    """
    place = {name: i for i, name in enumerate(theirs.photos)}
    if place.keys() != set(ours.photos):
        raise PredictionsError("These predictions are of other photos: compare runs on one split.")
    order = [place[name] for name in ours.photos]
    if not (ours.labels == theirs.labels[order]).all():
        raise PredictionsError("The photos are labelled otherwise: compare runs of one class list.")
    return interval(ours.right() - theirs.right()[order])


def predicted(answers: Mapping[str, Answers]) -> dict[str, Tensor]:
    """The predicted classes of each setting, (N, 1)."""
    return {name: each.predicted[:, None] for name, each in answers.items()}


def of_gates(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Predictions under what stands in for the gates, named so that no setting has the name."""
    return {GATES + name: classes for name, classes in given.items()}


def write(
    file: Path, photos: PhotoDataset, given: Mapping[str, Tensor], source: Provenance, sha256: str
) -> Path:
    """Write a run's predictions; returns the file.

    Args:
        photos: in the order of the predictions, labelled with the checkpoint's classes.
        given: by name, (N,) or (N, draws).
        source, sha256: the command and the weights.
    """
    head, columns = [*_FIRST], [_names(photos), photos.labels]
    for name, classes in given.items():
        draws = classes.reshape(len(photos), -1).T.tolist()
        head += [name] if len(draws) == 1 else [f"{name} ({i + 1})" for i in range(len(draws))]
        columns += draws
    text = io.StringIO()
    text.write(f"# {source.command}\n# {source.date}; weights sha256 {sha256}\n")
    csv.writer(text, lineterminator="\n").writerows([head, *zip(*columns, strict=True)])
    write_text(file, text.getvalue())
    return file


def read(file: Path) -> Predictions:
    """A run's predictions; PredictionsError if the file holds none."""
    try:
        lines = io.StringIO(file.read_text(encoding="utf-8"), newline="")
        head, *body = csv.reader(itertools.dropwhile(lambda line: line[:1] == "#", lines))
        classes = np.array([row[1:] for row in body], dtype=np.int64)
        if head[:2] != _FIRST or FULL not in head or not body:
            raise ValueError("another table")
        if classes.shape != (len(body), len(head) - 1):
            raise ValueError("rows of another length")
    except (OSError, ValueError, csv.Error) as error:
        raise PredictionsError(
            f"{file} holds no predictions ({error}): `lafe evaluate` and `lafe "
            "sweep` write such files."
        ) from error
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(head[2:], 1):
        columns.setdefault(_without_draw(name), []).append(place)
    given = {name: classes[:, places] for name, places in columns.items()}
    return Predictions(tuple(row[0] for row in body), classes[:, 0], given)


def _names(photos: PhotoDataset) -> list[str]:
    """Names of files, or paths from the data set's folder where two photos have one name."""
    names = [path.name for path in photos.paths]
    if len(set(names)) < len(names):
        names = [Path(os.path.relpath(path, photos.home)).as_posix() for path in photos.paths]
    return [name.encode("utf-8", "backslashreplace").decode() for name in names]


def _without_draw(name: str) -> str:
    stem, bracket, draw = name.rpartition(" (")
    return stem if bracket and draw[:-1].isdecimal() else name
