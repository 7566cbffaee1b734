"""The paper's claim on photos: people named what differs between birds that are mixed up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lafe.branches import FULL
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.data.part_attributes import PARTS, Attributes, read_attributes
from lafe.explain.attribution.methods import available
from lafe.explain.prepare import prepare
from lafe.measure import outputs
from lafe.measure.faithfulness.claims import CLAIM, CONTROLS, Maps, claim, union
from lafe.measure.faithfulness.part_rows import PictureRow
from lafe.measure.faithfulness.parts import Parts
from lafe.measure.faithfulness.places import PARTS as POINTS, Mask, View
from lafe.measure.outputs import labelled_as, open_test_split

PAIRS = 30


def rows(model: Trained, root: str | Path, count: int | None, seed: int = 0) -> list[PictureRow]:
    """The places of evidence on test photos of the birds that are mixed up the most.

    A part differs where most people saw another look in the one bird than in the other.  Each photo
    is asked why its own class and not each of those that its class is mixed up with.

    Args:
        model: of birds of CUB-200-2011.
        root: folder of CUB-200-2011 or its parent, with ``attributes/``.
        count: of photos; None for all of the birds in the pairs.
        seed: of the random maps, and of which photos are taken.

    Raises:
        lafe.data.DataError: the folder is missing, or lacks attributes.
        lafe.measure.outputs.ClassesError: photos of other birds.
    """
    attributes = read_attributes(root)
    test = labelled_as(model.card, open_test_split("cub", root))
    found = outputs.run(model, test)
    with torch.no_grad():
        probabilities = model.classifier(found.final.to(model.classifier.weight)).softmax(1).cpu()
    pairs = most_confused(probabilities, found.labels, PAIRS)
    rivals = {
        a: {b: differing(attributes, model.card.classes[a], model.card.classes[b]) for b in others}
        for a, others in pairs.items()
    }
    chosen = [i for i, label in enumerate(test.labels) if label in rivals]
    order = np.random.default_rng(seed).permutation(chosen)[:count].tolist()
    names = [*(name for name in CLAIM if not available(model)[name]), *CONTROLS]
    return [
        _row(model, test.subset([i]), rivals, names, seed) for i in tqdm(order, model.card.name)
    ]


def most_confused(probabilities: Tensor, labels: Tensor, count: int) -> dict[int, list[int]]:
    """Pairs of classes that take most of each other's mean probability, by class and its others.

    Shape: probabilities (N, K), labels (N,).
    """
    classes = probabilities.shape[1]
    mean = torch.stack(
        [
            probabilities[labels == k].mean(0) if (labels == k).any() else torch.zeros(classes)
            for k in range(classes)
        ]
    )
    both = (mean + mean.T).triu(1).flatten()
    found: dict[int, list[int]] = {}
    for index in both.topk(min(count, classes * (classes - 1) // 2)).indices.tolist():
        a, b = divmod(index, classes)
        found.setdefault(a, []).append(b)
        found.setdefault(b, []).append(a)
    return found


def differing(attributes: Attributes, a: str, b: str) -> Parts:
    """The parts in which most people saw another look."""
    return frozenset(part for part in PARTS if attributes.contrast(part, a, b) is not None)


def _row(
    model: Trained,
    photo: PhotoDataset,
    rivals: dict[int, dict[int, Parts]],
    names: Sequence[str],
    seed: int,
) -> PictureRow:
    began = time.perf_counter()
    picture, label = photo.photo(0), photo.labels[0]
    prepared = prepare(model, picture)
    masks = part_masks(View.of(model.preprocess, picture.size), photo)
    maps = Maps(prepared, photo.paths[0].name, seed)
    return PictureRow(
        picture=photo.paths[0].name,
        right=int(prepared.logits(FULL).argmax()) == label,
        things=0,
        relevant_things=0,
        scores={},
        claim=claim(maps, masks, names, label, rivals[label]) if masks else {},
        logit={},
        margin={},
        seconds=time.perf_counter() - began,
    )


def part_masks(view: View, photo: PhotoDataset) -> dict[str, Mask]:
    """Discs around the points of each part that is seen; both eyes, legs and wings are one part."""
    assert photo.parts is not None
    sides: dict[str, dict[str, Mask]] = {}
    for name, (x, y, visible) in zip(POINTS, photo.parts[0].tolist(), strict=True):
        if visible and (mask := view.of_part(x, y)) is not None:
            part = name.removeprefix("left ").removeprefix("right ")
            sides.setdefault(part, {})[name] = mask
    return {part: union(each, set(each)) for part, each in sides.items()}
