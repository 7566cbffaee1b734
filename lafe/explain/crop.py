"""A proposal where to crop a photo: the part that the backbone's last features are strong on."""

from __future__ import annotations

import cv2
import numpy as np

from lafe.data.photo import Box
from lafe.data.preprocess import Preprocess
from lafe.explain.maps import Map, map_of
from lafe.explain.prepare import Prepared

SHARE = 0.45
"""Share of a map's height above its lowest value from which a place belongs to the object."""
MARGIN = 0.08
"""Share of the photo's sides that is left around it."""
LARGEST = 0.7
"""Share of the photo beyond which a crop is not worth proposing."""


def propose(photo: Prepared, size: tuple[int, int], preprocess: Preprocess) -> Box | None:
    """Propose a crop to the object, as fractions of the photo's sides.

    The map is ``f_5``, the mean over its channels; of the places that are high, those that hang
    together and add up to most are taken.  It knows no class, and no box was ever shown to it.

    Args:
        photo: the whole photo under a model.
        size: width and height of the photo.
        preprocess: of the model, which may see a part of the photo only.

    Returns:
        Left, top, right, bottom; None where most of the photo would be left.
    """
    left, top, right, bottom = object_box(map_of(photo.features[-1]))
    x0, y0, x1, y1 = preprocess.view_box(size)
    width, height = size

    def along(share: float, low: float, high: float, whole: float) -> float:
        return (low + share * (high - low)) / whole

    box = (
        max(0.0, along(left, x0, x1, width) - MARGIN),
        max(0.0, along(top, y0, y1, height) - MARGIN),
        min(1.0, along(right, x0, x1, width) + MARGIN),
        min(1.0, along(bottom, y0, y1, height) + MARGIN),
    )
    area = (box[2] - box[0]) * (box[3] - box[1])
    return box if area <= LARGEST else None


def object_box(heat: Map) -> Box:
    """The box around the strongest connected part of a map, as fractions of its sides."""
    fine = cv2.resize(np.asarray(heat, np.float32), (64, 64), interpolation=cv2.INTER_LINEAR)
    raised = fine - fine.min()
    high = (raised >= SHARE * raised.max()).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(high)
    sums = [float(raised[labels == k].sum()) for k in range(1, count)]
    x, y, width, height, _ = stats[1 + int(np.argmax(sums))]
    return x / 64, y / 64, (x + width) / 64, (y + height) / 64
