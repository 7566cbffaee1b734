"""Intervals of means, by the percentile bootstrap over photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

RESAMPLES = 10_000
BATCH = 1_000


def interval(values: ArrayLike) -> dict[str, float]:
    """Mean of per-photo values (N,), N >= 1, with its 95 % percentile interval over photos."""
    v = np.asarray(values, dtype=np.float64)
    mean = float(v.mean())
    # SciPy has no interval for one value.
    if len(v) == 1:
        return {"mean": mean, "low": mean, "high": mean}
    found = bootstrap(
        (v,), np.mean, n_resamples=RESAMPLES, batch=BATCH, method="percentile", rng=0
    ).confidence_interval
    return {"mean": mean, "low": float(found.low), "high": float(found.high)}
