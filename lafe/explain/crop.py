"""A proposal where to crop a photo: the part that the backbone's last features are strong on.

It is offered to photos that look like nothing that the model knows, where the crop looks more like
it.  On photos held out from training this kept what the whole photo gives for birds that fill
theirs, to which a crop does harm, and most of what a crop gives for cars that do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from lafe.checkpoints.trained import Trained
from lafe.data.photo import Box, PhotoError, crop
from lafe.data.preprocess import Preprocess
from lafe.explain.maps import Map, map_of
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import familiarity

LOOSE, TIGHT = (0.45, 0.2), (0.6, 0.0)
"""Two ways to draw a box: the share of a map's height above its lowest value from which a place is
the object's, and the share of the object's sides that is left around it.  A model that was trained
on whole photos wants a loose one, a model of box crops a tight one."""
LARGEST = 0.7
"""Share of the photo beyond which a crop is not worth proposing."""


@dataclass(frozen=True)
class Proposal:
    """A crop to the object.

    Attributes:
        box: left, top, right, bottom, as fractions of the photo's sides.
        closer: whether the crop looks more like what the model knows than the whole photo does;
            True of a model that has no score for that.
    """

    box: Box
    closer: bool


def propose(whole: Prepared, photo: Image.Image, model: Trained) -> Proposal | None:
    """Propose a crop to the object: of a loose and a tight box, what looks most like the known.

    The boxes are drawn on ``f_5``, the mean over its channels, around the places that are high,
    hang together and add up to most.  It knows no class, and no box was ever shown to it.

    Args:
        whole: the whole photo under the model.
        photo: the whole photo.
        model: which looks at the crops, too.

    Returns:
        The crop; None where most of the photo would be left, or too little of it.
    """
    looks: dict[Box, float | None] = {}
    for box in _boxes(map_of(whole.features[-1]), photo.size, model.preprocess):
        with suppress(PhotoError):  # too little would be left
            looks[box] = familiarity(prepare(model, crop(photo, box)))
    if not looks:
        return None
    known = familiarity(whole)
    if known is None:
        return Proposal(next(iter(looks)), closer=True)
    score, box = max((score or 0.0, box) for box, score in looks.items())
    return Proposal(box, closer=score > known)


def _boxes(heat: Map, size: tuple[int, int], preprocess: Preprocess) -> Iterator[Box]:
    """The boxes on the photo, of which the model may see a part only; the loose one first."""
    x0, y0, x1, y1 = preprocess.view_box(size)
    width, height = size
    for share, margin in (LOOSE, TIGHT):
        left, top, right, bottom = object_box(heat, share)
        left, right = ((x0 + edge * (x1 - x0)) / width for edge in (left, right))
        top, bottom = ((y0 + edge * (y1 - y0)) / height for edge in (top, bottom))
        beside, above = margin * (right - left), margin * (bottom - top)
        box = (
            max(0.0, left - beside),
            max(0.0, top - above),
            min(1.0, right + beside),
            min(1.0, bottom + above),
        )
        if (box[2] - box[0]) * (box[3] - box[1]) <= LARGEST:
            yield box


def object_box(heat: Map, share: float) -> Box:
    """The box around the strongest connected part of a map, as fractions of its sides."""
    fine = cv2.resize(np.asarray(heat, np.float32), (64, 64), interpolation=cv2.INTER_LINEAR)
    raised = fine - fine.min()
    high = (raised >= share * raised.max()).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(high)
    sums = [float(raised[labels == k].sum()) for k in range(1, count)]
    x, y, width, height, _ = stats[1 + int(np.argmax(sums))].tolist()
    return x / 64, y / 64, (x + width) / 64, (y + height) / 64
