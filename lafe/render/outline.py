"""The outline of places in a picture, such as parts that a model should look at."""

import cv2
import numpy as np
from PIL import Image

from lafe.render.overlay import RGB


def outlined(picture: Image.Image | RGB, mask: np.ndarray) -> RGB:
    """A copy of a picture with a white line on a dark one around the places of a mask.

    The two are seen on any colours.

    Args:
        picture: W x H pixels.
        mask: (h, w) bool, of any size.

    Returns:
        (H, W, 3) uint8.
    """
    out: RGB = np.array(picture)
    height, width = out.shape[:2]
    large = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    lines, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thin = max(1, round(width / 224))
    for colour, thickness in (((33, 37, 41), 3 * thin), ((255, 255, 255), thin)):
        cv2.drawContours(out, lines, -1, colour, thickness, cv2.LINE_AA)
    return out
