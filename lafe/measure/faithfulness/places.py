"""The places of a map: on the object's box, on its parts, on how few places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lafe.data.preprocess import Preprocess
from lafe.explain.maps import Map
from lafe.render.overlay import Box

Mask = np.ndarray  # (S, S) bool

PARTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left eye", "left leg"),
    *("left wing", "nape", "right eye", "right leg", "right wing", "tail", "throat"),
)
"""CUB-200-2011's 15 parts, in the order of its files."""

TOLERANCE = 15 / 500
"""Tolerance of the pointing game, as a share of the longer side (Zhang et al., IJCV 2018)."""

_BLOB = 0.25


@dataclass(frozen=True)
class View:
    """The part of a photo that a model sees, as a square of ``side`` x ``side`` px.

    Attributes:
        photo: width and height in px.
        box: left, top, right, bottom of the view, in px of the photo.
        side: S.
    """

    photo: tuple[int, int]
    box: Box
    side: int

    @classmethod
    def of(cls, preprocess: Preprocess, photo: tuple[int, int]) -> View:
        """The view of a model on a photo of (width, height) px."""
        return cls(photo, preprocess.view_box(photo), preprocess.input_size)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """The centres of the view's pixels in px of the photo: x (1, S) and y (S, 1)."""
        left, top, right, bottom = self.box
        centres = (np.arange(self.side) + 0.5) / self.side
        return left + (right - left) * centres[None], top + (bottom - top) * centres[:, None]

    def of_box(self, x: float, y: float, width: float, height: float) -> Mask:
        """A box given as CUB gives it, in px of the photo."""
        xs, ys = self.places()
        return (xs >= x) & (xs < x + width) & (ys >= y) & (ys < y + height)

    def of_part(self, x: float, y: float) -> Mask | None:
        """The disc of the tolerance around a point; None where the model does not see the point."""
        left, top, right, bottom = self.box
        if not (left <= x < right and top <= y < bottom):
            return None
        xs, ys = self.places()
        return (xs - x) ** 2 + (ys - y) ** 2 <= (TOLERANCE * max(self.photo)) ** 2


def pointing(heat: Map, mask: Mask) -> float:
    """Pointing game: 1 where the map's highest place is inside, 0 where it is not.

    Of several places that are equally high the share that is inside, so that a flat map gets the
    mask's area, which is chance.  Shapes (S, S).

    Source: Zhang et al., IJCV 2018.
    """
    return float(mask[heat == heat.max()].mean())


def energy(heat: Map, mask: Mask) -> float | None:
    """The share of the map's positive values that is inside; chance is the mask's area.

    None where the map has no positive value.  Shapes (S, S).

    Source: Wang et al., CVPRW 2020 (Score-CAM); Quantus calls it relevance mass.
    """
    positive = np.clip(heat, 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total else None


def without_floor(heat: Map) -> Map:
    """A map less its lowest value, if that is positive: what all places share names none of them.

    With its floor, a map has more energy outside any box than what stands out of it has.
    """
    return heat - max(float(heat.min()), 0.0)


def auc(heat: Map, mask: Mask) -> float | None:
    """The chance that a place inside is higher than one outside, of equals half; 0.5 is chance.

    It knows the order of the places only: no floor and no scale changes it.  None where all places
    are inside, or none.  Shapes (S, S).

    Source: Mann and Whitney, 1947.
    """
    inside = int(mask.sum())
    outside = mask.size - inside
    if not inside or not outside:
        return None
    ranks = rankdata(heat.ravel())[mask.ravel()]
    return float((ranks.sum() - inside * (inside + 1) / 2) / (inside * outside))


def gini(heat: Map) -> float:
    """Sparseness: the Gini index of the absolute values; 0 where all are equal, near 1 if one is.

    Source: Chalasani et al., ICML 2020, as in Quantus.
    """
    values = np.sort(np.abs(heat).ravel().astype(np.float64))
    total, n = values.sum(), values.size
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) @ values) / (n * total))


def centred_blob(side: int) -> Map:
    """A Gaussian in the middle of the view, (side, side): what a map has to beat.

    Photographers put the object in the middle, so this knows where it is without looking.
    """
    offsets = (np.arange(side) + 0.5) / side - 0.5
    bell = np.exp(-((offsets / _BLOB) ** 2) / 2)
    return np.outer(bell, bell).astype(np.float32)
