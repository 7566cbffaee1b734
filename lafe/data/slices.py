"""Subsets of a split on which a model may do worse than its mean says."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lafe.data import PhotoDataset

SMALL_BOX = 0.2
HIDDEN_PARTS = 5
GREY = 8
FEWEST = 10


def slices(dataset: PhotoDataset) -> dict[str, Tensor]:
    """Members of each subset, (N,) bool; only subsets of ten photos or more.

    Greyscale: no pixel of a thumbnail whose channels differ by more than 8 of 255.  With boxes and
    parts (CUB): the box covers less than a fifth of the photo; five or more of the 15 parts hidden.
    """
    grey, areas = [], []
    for i in range(len(dataset)):
        photo = dataset.photo(i)
        grey.append(_is_grey(np.asarray(photo.resize((32, 32)))))
        areas.append(float(photo.width * photo.height))
    found = {"greyscale": torch.tensor(grey)}
    if dataset.boxes is not None:
        found[f"box under {SMALL_BOX:.0%} of the photo"] = (
            dataset.boxes[:, 2:].prod(1) / torch.tensor(areas) < SMALL_BOX
        )
    if dataset.parts is not None:
        hidden = (dataset.parts[..., 2] == 0).sum(1)
        count = dataset.parts.shape[1]
        found[f"{HIDDEN_PARTS} or more of {count} parts hidden"] = hidden >= HIDDEN_PARTS
    return {name: inside for name, inside in found.items() if inside.sum() >= FEWEST}


def _is_grey(pixels: np.ndarray) -> bool:
    """uint8 (H, W, 3)."""
    return int((pixels.max(2).astype(int) - pixels.min(2)).max()) <= GREY
