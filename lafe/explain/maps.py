"""Features as maps that people can look at."""

from __future__ import annotations

import numpy as np
from torch import Tensor

Map = np.ndarray  # (h, w), any real type


def map_of(features: Tensor) -> Map:
    """Features as a map: their mean over the channels, as it is.

    Args:
        features: (C, H, W), or one photo's (1, C, H, W).

    Returns:
        (H, W), float32.

    Raises:
        ValueError: features of more than one photo.
    """
    if features.ndim == 4 and len(features) == 1:
        features = features[0]
    if features.ndim != 3:
        raise ValueError(f"Expected features of one photo, (C, H, W), not {tuple(features.shape)}.")
    return features.detach().float().mean(0).cpu().numpy()


def fixed(heat: Tensor) -> Map:
    """A map (h, w) as a read-only float32 array."""
    array = heat.detach().float().cpu().numpy().copy()
    array.flags.writeable = False
    return array
