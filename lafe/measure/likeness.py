"""The likeness of two maps of a photo, whatever their scale: by ranks, and by their top fifth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

TOP = 1 / 5
"""Share of the places whose overlap is measured."""


def rank_correlation(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Spearman's rank correlation over places, ties by mean ranks; NaN where a map is flat.

    Shape: two maps of each photo, (N, places) -> (N,).
    """
    ranks = [rankdata(maps, axis=1) for maps in (a, b)]
    x, y = (r - r.mean(1, keepdims=True) for r in ranks)
    spread = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    flat = np.full(len(x), np.nan)
    return np.asarray(np.divide((x * y).sum(1), spread, out=flat, where=spread > 0))


def top_overlap(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Share of the highest fifth of places that two maps have in common; NaN where one is flat.

    Chance is a fifth.  Where places tie for the last of these, it is what is to be expected if
    each map breaks its ties at random.

    Shape: two maps of each photo, (N, places) -> (N,).
    """
    a, b = np.asarray(a), np.asarray(b)
    count = max(1, round(TOP * a.shape[1]))
    shared = (_top(a, count) * _top(b, count)).sum(1) / count
    flat = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
    return np.where(flat, np.nan, shared)


def _top(maps: np.ndarray, count: int) -> np.ndarray:
    """The chance of each place to be among the ``count`` highest, (N, places)."""
    last = -np.sort(-maps, axis=1)[:, count - 1 : count]
    above, tied = maps > last, maps == last
    left = count - above.sum(1, keepdims=True)
    return np.asarray(above + tied * left / tied.sum(1, keepdims=True))
