"""Features as maps that people can look at."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

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


def correlations(maps: Mapping[str, Map]) -> dict[tuple[str, str], float | None]:
    """Pearson's correlation over places of each pair of maps; None where one of them is flat.

    Args:
        maps: by name, all of one shape (h, w).
    """
    found: dict[tuple[str, str], float | None] = {}
    for a, b in combinations(maps, 2):
        x, y = (np.asarray(maps[name], float).ravel() for name in (a, b))
        flat = np.ptp(x) == 0 or np.ptp(y) == 0
        found[a, b] = None if flat else float(np.corrcoef(x, y)[0, 1])
    return found
