"""Intervals of means, by the percentile bootstrap over photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lafe.render.text import number

if TYPE_CHECKING:  # who lists the protocols, or reads a report, needs no NumPy
    from numpy.typing import ArrayLike

RESAMPLES = 10_000
BATCH = 1_000


@dataclass(frozen=True)
class Interval:
    """A mean over photos, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float

    def text(self, form: str, factor: float = 1) -> str:
        """Mean and interval for people, times a factor; ``form``: see `number`."""
        mean, low, high = (number(factor * v, form) for v in (self.mean, self.low, self.high))
        return f"{mean} ({low} to {high})"

    def percent(self, *, sign: bool = False) -> str:
        """Mean and interval for people, in percent or in points."""
        return self.text("+.1f" if sign else ".1f", 100)


@dataclass(frozen=True)
class Mean(Interval):
    """An interval with the number of photos that it is over."""

    photos: int


def interval(values: ArrayLike) -> Interval:
    """Mean of per-photo values (N,), N >= 1, with its 95 % percentile interval over photos."""
    import numpy as np

    v = np.asarray(values, dtype=np.float64)
    mean = float(v.mean())
    # SciPy has no interval for one value.
    if len(v) == 1:
        return Interval(mean, mean, mean)
    from scipy.stats import bootstrap  # slow to import, and who reads a report needs none of it

    found = bootstrap(
        (v,), np.mean, n_resamples=RESAMPLES, batch=BATCH, method="percentile", rng=0
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def mean(values: Iterable[float | None]) -> Mean | None:
    """The mean over the photos that have a value, with its interval; None if none has."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    found = interval(known)
    return Mean(found.mean, found.low, found.high, len(known))
