"""Superpixels: patches of a photo that keep to its edges."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

_COMPACTNESS = 2.0
_ROUNDS = 5


def superpixels(x: Tensor, count: int = 49) -> Tensor:
    """K-means over place and colour that starts from a grid, so that it is always the same.

    What SLIC does (Achanta et al., PAMI 2012) without its search windows, and in the photo's own
    colours: OpenCV has k-means in every build, SLIC only in some.

    Args:
        x: a photo as a model reads it, (1, 3, S, S).
        count: about how many; the largest square number within it is used.

    Returns:
        (S, S) int64, numbered from 0 without a gap.
    """
    height, width = x.shape[-2:]
    side = int(count**0.5)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    grid = (rows * side // height) * side + columns * side // width
    # A patch's side is 1 in place; colours are of the order of 1 already.
    place = np.stack([rows / height, columns / width]) * side * _COMPACTNESS
    features = np.concatenate([x[0].detach().float().cpu().numpy(), place])
    _, labels, _ = cv2.kmeans(
        np.ascontiguousarray(features.reshape(len(features), -1).T),
        side * side,
        grid.astype(np.int32).reshape(-1, 1),
        (cv2.TERM_CRITERIA_MAX_ITER, _ROUNDS, 0),
        1,
        cv2.KMEANS_USE_INITIAL_LABELS,
    )
    _, dense = np.unique(labels, return_inverse=True)
    return torch.from_numpy(dense.reshape(height, width).astype(np.int64))
