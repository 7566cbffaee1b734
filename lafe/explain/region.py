"""A region that somebody painted: its exact share of the evidence, and the photo without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from lafe import markup
from lafe.branches import FULL, Switches
from lafe.data.preprocess import Preprocess
from lafe.errors import LafeError
from lafe.explain.attribution.baselines import baseline
from lafe.explain.evidence import Versus, evidence
from lafe.explain.places import Place
from lafe.explain.prepare import Prepared, prepare


@dataclass(frozen=True, eq=False)
class Region:
    """A region's share of a logit, or of the difference of two, and the prediction without it.

    ``inside + outside + bias`` is the logit.  A place that is painted in part counts for that part;
    whole places are exact.

    Attributes:
        inside, outside: what the places there add.
        bias: of the classifier; no place's.
        coverage: the share of the photo that is painted: the share of evidence by chance.
        blanked: the photo whose region is blanked in the picture, under the same model.
    """

    inside: float
    outside: float
    bias: float
    coverage: float
    blanked: Prepared

    @property
    def share(self) -> float:
        """The region's share of what all places add; below 0 or above 1 where parts speak against
        each other, and NaN where the places cancel out."""
        whole = self.inside + self.outside
        return self.inside / whole if whole else float("nan")

    def _repr_html_(self) -> str:
        """The region's terms, which add up to the logit, in a notebook."""
        rows = [
            ("inside", self.inside),
            ("outside", self.outside),
            ("bias", self.bias),
            ("logit", self.inside + self.outside + self.bias),
            ("share of the evidence", self.share),
            ("share of the photo", self.coverage),
        ]
        return markup.table("A region", (), rows)


def unpacked(bits: bytes, side: int) -> np.ndarray:
    """A square mask from its bits, eight a byte, row by row, as a page or a file holds it.

    Shape: (side, side) bool.

    Raises:
        lafe.LafeError: the bits are those of a mask of another size.
    """
    if len(bits) != -(-side * side // 8):
        raise LafeError(f"{len(bits)} bytes are no mask of {side} x {side} cells.")
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=side * side).reshape(side, side) > 0


def packed(mask: np.ndarray, side: int) -> bytes:
    """The bits of a mask of any size, brought to (side, side): what :func:`unpacked` reads."""
    fitted = cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return np.packbits(fitted > 0).tobytes()


def of_places(places: Iterable[Place], grid: int) -> np.ndarray:
    """The mask of some places of F_5, (grid, grid) bool."""
    mask = np.zeros((grid, grid), bool)
    for row, column in places:
        mask[row, column] = True
    return mask


def seen(mask: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """The part of a mask over a whole photo that a model sees of it, in the mask's own pixels.

    Shape: (H, W) -> (h, w).
    """
    left, top, right, bottom = map(round, preprocess.view_box(mask.shape[::-1]))
    return mask[top:bottom, left:right]


@torch.inference_mode(False)
@torch.no_grad()
def region(
    photo: Prepared,
    mask: np.ndarray,
    *,
    target: int | None = None,
    versus: Versus = None,
    strength: float = 1.0,
    switches: Switches = FULL,
    against: str = "blur",
) -> Region:
    """The share of evidence in a painted region, and the photo with the region blanked.

    The evidence is of features, and a place sees far more than its patch: blanking the picture
    changes what all places see, so that the two need not agree.

    Args:
        photo: as :func:`lafe.prepare` gives it.
        mask: (h, w) of any size over what the model sees (:func:`seen`): painted where it is True,
            or more than half.
        target, versus, strength, switches: as for :func:`lafe.evidence`.
        against: what takes the region's place, see
            :data:`lafe.explain.attribution.baselines.BASELINES`.

    Raises:
        lafe.LafeError: nothing is painted.
        ValueError: no such class or baseline.
    """
    side = photo.x.shape[-1]
    painted = _fitted(mask, side)
    if not painted.any():
        raise LafeError("Nothing is painted: mark a region of the photo.")
    e = evidence(photo, target=target, versus=versus, strength=strength, switches=switches)
    says = (e.backbone + e.dis + e.con).double().cpu()
    patch = side // len(says)
    covered = painted.double().view(len(says), patch, -1, patch).mean((1, 3))
    inside = float((covered * says).sum())
    blank = torch.where(painted.to(photo.x.device), baseline(photo.x, against), photo.x)
    return Region(
        inside=inside,
        outside=float(says.sum()) - inside,
        bias=e.bias,
        coverage=float(painted.double().mean()),
        blanked=prepare(photo.model, blank).under(photo.controls, photo.other),
    )


def _fitted(mask: np.ndarray, side: int) -> Tensor:
    """(S, S) bool."""
    if mask.ndim != 2 or not mask.size:
        raise LafeError(f"A mask has rows and columns, not the shape {mask.shape}.")
    area = cv2.INTER_AREA if min(mask.shape) > side else cv2.INTER_NEAREST
    fitted = cv2.resize(mask.astype(np.float32), (side, side), interpolation=area)
    return torch.from_numpy(fitted > 0.5)
