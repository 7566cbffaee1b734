"""Switching at inference over a whole split: each branch off alone, and what each is worth.

One trained model with branches switched off.  Not Table 4, whose rows were trained without them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from lafe.branches import BRANCHES, EVERY_BRANCH, STAGES, Switches
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.ablation import factorials
from lafe.measure.evaluation import batches

FULL = Switches.all()
NAMES = [f"{branch}{stage}" for stage, branch in EVERY_BRANCH]
WITHOUT = [FULL.without(branch, stages=(stage,)).index for stage, branch in EVERY_BRANCH]


def switching(model: Trained, dataset: PhotoDataset, most: int = 10) -> dict[str, Any]:
    """What the branches do on a split, from the table of all settings of each photo.

    Returns:
        ``branch_off``: by branch, top-1 without it and the share of photos whose prediction
        changes.  ``shapley``: exact Shapley values for the true class's probability, (3, 4) in the
        order of STAGES and BRANCHES: the mean over photos, and over those of each class.
        ``confused``: the ordered pairs (true, predicted) that are mixed up most often, each with
        the branch without which the most of its photos come right.
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
    return {
        "photos": count,
        "branch_off": {
            name: {"top1": float(r) / count, "changed": float(c) / count}
            for name, r, c in zip(NAMES, right, changed, strict=True)
        },
        "shapley": {
            "of": "probability of the true class",
            "mean": _rounded(worth.sum(0) / count),
            "by_class": [_rounded(each) for each in by_class],
        },
        "confused": [
            {
                "true": dataset.classes[pair[0]],
                "predicted": dataset.classes[pair[1]],
                "photos": n,
                "branch": NAMES[int(mended[pair].argmax())] if mended[pair].any() else None,
                "mended": int(mended[pair].max()),
            }
            for pair, n in pairs.most_common(most)
        ],
    }


def _rounded(values: torch.Tensor) -> list[list[float]]:
    return [[round(v, 6) for v in row] for row in values.tolist()]
