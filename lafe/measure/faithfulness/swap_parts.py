"""The protocol ``swap``: does a swap exchange parts of the bird, and the same parts?

Near-KP and Same-KP of Goyal et al., ICML 2019, as Vandenhende et al., ECCV 2022, evaluate them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from lafe.branches import FULL
from lafe.data.preprocess import Preprocess
from lafe.explain.places import Place
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.swap import Edit, SwapError, paste, swap
from lafe.measure.faithfulness.places import PARTS
from lafe.measure.faithfulness.registry import FaithfulnessError
from lafe.measure.faithfulness.scores import (
    Column,
    Comparison,
    Figure,
    Published,
    Row,
    Work,
    compare,
)
from lafe.measure.protocols import Scores

VARIANTS: Mapping[str, tuple[str, float | None]] = {
    "F5": ("F5", None),
    "F5, similar places": ("F5", 0.2),
    "D": ("D", None),
}
"""Maps whose places are swapped, and the share of pairs that are similar enough, by name."""

KINDS = tuple(name.removeprefix("left ").removeprefix("right ") for name in PARTS)
"""The parts without their sides, as the published protocol has them: twelve."""


def parts_by_place(
    points: np.ndarray, size: tuple[int, int], preprocess: Preprocess, grid: int
) -> dict[Place, set[str]]:
    """The parts in each cell of the grid over what a model sees.

    Args:
        points: (15, 3) x, y in px of the photo, and visible.
        size: width and height of the photo.
    """
    left, top, right, bottom = preprocess.view_box(size)
    found: dict[Place, set[str]] = {}
    for name, (x, y, visible) in zip(KINDS, points.tolist(), strict=True):
        column = int(np.floor((x - left) / (right - left) * grid))
        row = int(np.floor((y - top) / (bottom - top) * grid))
        if visible and 0 <= row < grid and 0 <= column < grid:
            found.setdefault((row, column), set()).add(name)
    return found


def near(edit: Edit, a: Mapping[Place, set[str]], b: Mapping[Place, set[str]]) -> float:
    """Near-KP: half a point for each of the two cells that holds a part."""
    return ((edit[0] in a) + (edit[1] in b)) / 2


def same(edit: Edit, a: Mapping[Place, set[str]], b: Mapping[Place, set[str]]) -> float:
    """Same-KP: 1 where the two cells hold a part of one kind."""
    return float(bool(a.get(edit[0], set()) & b.get(edit[1], set())))


def _rows(work: Work) -> Iterator[Row]:
    """A row a photo that is right, against the class that its own is confused with most."""
    if work.test.parts is None:
        raise FaithfulnessError(
            "Swaps are measured on parts of birds: give CUB-200-2011, and a model of its birds."
        )
    predicted = _predictions(work)
    labels, classes = np.array(work.test.labels), len(work.test.classes)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    np.fill_diagonal(confusion, -1)
    random = np.random.default_rng(work.seed)
    done = 0
    for index in work.shuffled():
        label = labels[index]
        if predicted[index] != label or confusion[label].max() <= 0:
            continue
        target = int(confusion[label].argmax())
        others = np.flatnonzero(labels == target)
        if not len(others) or predicted[other := int(random.choice(others))] != target:
            continue
        yield _row(work, index, other, target)
        done += 1
        if done == work.photos:
            return


def _row(work: Work, index: int, other: int, target: int) -> Row:
    a, b = (_prepared(work, i) for i in (index, other))
    found: dict[str, dict[str, Figure]] = {}
    for name, (of, similar) in VARIANTS.items():
        try:
            edits = swap(a[0], b[0], target=target, of=of, similar=similar)
        except SwapError:
            found[name] = {"found": 0.0}
            continue
        each = [(near(e, a[1], b[1]), same(e, a[1], b[1])) for e in edits.edits]
        pasted = paste(a[0], b[0], edits)
        found[name] = {
            "found": 1.0,
            "edits": float(len(each)),
            "near": [n for n, _ in each],
            "same": [s for _, s in each],
            "near_first": each[0][0],
            "same_first": each[0][1],
            "wins": float(edits.winner == target),
            "survives": float(pasted.survives),
        }
    return found


def _prepared(work: Work, index: int) -> tuple[Prepared, dict[Place, set[str]]]:
    assert work.test.parts is not None
    picture = work.test.photo(index)
    photo = prepare(work.model, picture)
    grid = photo.features[-1].shape[-1]
    points = work.test.parts[index].numpy()
    return photo, parts_by_place(points, picture.size, work.model.preprocess, grid)


@torch.no_grad()
def _predictions(work: Work) -> np.ndarray:
    from lafe.measure.outputs import batches

    found = [work.model(x, FULL).argmax(1).cpu() for x, _ in batches(work.model, work.test)]
    return torch.cat(found).numpy()


def _answer(found: Scores) -> tuple[str, str]:
    row = found.rows["F5"]
    edits, wins, survives = row["edits"], row["wins"], row["survives"]
    question = "How many places of another photo turn a bird into the class it is confused with?"
    if edits is None or wins is None or survives is None:
        return question, "No swap did."
    return question, (
        f"{edits.text('.1f')} on average, and no fewer do; over all classes the target wins in "
        f"{wins.percent()} %.  In pixels {survives.percent()} % survive: a place sees far more "
        "than its patch."
    )


compare(
    Comparison(
        "swap",
        "Swaps of places, and parts of birds",
        200,
        {"similar": 0.2},
        _rows,
        [
            Column("edits", "Edits", percent=False),
            Column("near", "Near-KP, %"),
            Column("same", "Same-KP, %"),
            Column("near_first", "Near-KP, first edit, %"),
            Column("same_first", "Same-KP, first edit, %"),
            Column("found", "Flips, %"),
            Column("wins", "Target wins over all, %"),
            Column("survives", "Survives in pixels, %"),
        ],
        "Photos that are classified rightly, each against one photo, classified rightly too, of "
        "the class that theirs is confused with most.  Near-KP: cells that hold a part of the "
        "bird, of both photos.  Same-KP: edits whose two cells hold a part of one kind; left and "
        "right are one.  Both are means over all edits, as published.  What differs from the "
        "published evaluation: this model's own grid (theirs is 7 x 7; the finer a grid, the fewer "
        "cells hold a part), 50 of the 200 birds, and an edit is counted until the target is above "
        "the photo's class, not above all.  Similar places: the fifth of all pairs whose f_5 are "
        "most alike, by cosine.",
        _answer,
        [
            Published("Goyal et al., ResNet-50", "Near-KP 54.0, Same-KP 7.4, 3.5 edits"),
            Published("Vandenhende et al., ResNet-50", "Near-KP 64.6, Same-KP 31.1, 2.9 edits"),
        ],
        names={name: name for name in VARIANTS},
        what="Places of",
    )
)
