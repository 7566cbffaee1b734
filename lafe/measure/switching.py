"""Switching at inference over a whole split: each branch off alone, and what each is worth.

One trained model with branches switched off.  Not Table 4, whose rows were trained without them.
"""

from __future__ import annotations

from collections import Counter

import torch

from lafe.branches import BRANCHES, EVERY_BRANCH, STAGES, Switches
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.ablation import factorials
from lafe.measure.outputs import batches
from lafe.measure.report import BranchOff, Grid, Mended, Switching, Worth

FULL = Switches.all()
NAMES = [str(branch) for branch in EVERY_BRANCH]
WITHOUT = [FULL.without(branch).index for branch in EVERY_BRANCH]


def switching(model: Trained, dataset: PhotoDataset, most: int = 10) -> Switching:
    """The worth of the branches on a split, from the table of all settings of each photo.

    Shapley values are those for the true class's probability.
    """
    right, changed = torch.zeros(len(NAMES)), torch.zeros(len(NAMES))
    worth = torch.zeros(len(dataset.classes), len(STAGES), len(BRANCHES), dtype=torch.float64)
    pairs: Counter[tuple[int, int]] = Counter()
    mended: dict[tuple[int, int], torch.Tensor] = {}
    for x, labels in batches(model, dataset):
        for table, label in zip(factorials(model, x), labels.tolist(), strict=True):
            predictions = table.predictions()
            full, without = int(predictions[FULL.index]), predictions[WITHOUT]
            right += without == label
            changed += without != full
            worth[label] += table.shapley(label)
            if full != label:
                pairs[label, full] += 1
                mended[label, full] = mended.get((label, full), 0) + (without == label).int()
    count = len(dataset)
    photos = torch.tensor(dataset.labels).bincount(minlength=len(dataset.classes))
    by_class = worth / photos.clamp(min=1)[:, None, None]
    return Switching(
        photos=count,
        branch_off={
            name: BranchOff(float(r) / count, float(c) / count)
            for name, r, c in zip(NAMES, right, changed, strict=True)
        },
        shapley=Worth(
            "probability of the true class",
            _rounded(worth.sum(0) / count),
            tuple(_rounded(each) for each in by_class),
        ),
        confused=tuple(
            Mended(
                dataset.classes[pair[0]],
                dataset.classes[pair[1]],
                n,
                int(mended[pair].max()),
                NAMES[int(mended[pair].argmax())] if mended[pair].any() else None,
            )
            for pair, n in pairs.most_common(most)
        ),
    )


def _rounded(values: torch.Tensor) -> Grid:
    return tuple(tuple(round(v, 6) for v in row) for row in values.tolist())
