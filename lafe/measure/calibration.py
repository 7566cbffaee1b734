"""Temperatures: what logits are divided by so that probabilities say how often a model is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from lafe.branches import SIDES
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.ablation import Table, factorials
from lafe.measure.outputs import batches

COLDEST, HOTTEST = 1 / 32, 32.0
"""The bounds of temperatures: if all photos are right, none is cold enough."""

NUMBERS = 4_000_000
"""Logits that are fitted at once; it takes some seven times their memory."""

FITTED = 2_000_000
"""Photos times classes that temperatures are fitted to; they take 0.5 kB each."""

_STEPS = 40
_CLOSE = 1e-4


def fit_temperatures(logits: Tensor, labels: Tensor) -> Tensor:
    """The temperature with the lowest negative log-likelihood, for each of S sets of logits.

    The likelihood is convex in ``1 / T``: Newton's steps, halved where they leave the bracket.

    Shape: logits (S, N, K), labels (N,) -> (S,).

    Source: Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017.
    """
    z = logits - logits.gather(2, labels.expand(len(logits), -1)[..., None])  # the true class is 0
    inverse = z.new_ones(len(z))
    low, high = torch.full_like(inverse, 1 / HOTTEST), torch.full_like(inverse, 1 / COLDEST)
    for _ in range(_STEPS):
        p = (z * inverse[:, None, None]).softmax(2)
        mean = (p * z).sum(2)
        slope = mean.mean(1)
        curvature = ((p * z.square()).sum(2) - mean.square()).mean(1)
        low = torch.where(slope < 0, inverse, low)
        high = torch.where(slope > 0, inverse, high)
        step = inverse - slope / curvature.clamp(min=1e-12)
        inside = (step > low) & (step < high)
        new = torch.where(inside, step, (low * high).sqrt())
        done = bool(((new / inverse - 1).abs() < _CLOSE).all())
        inverse = new
        if done:
            break
    return 1 / inverse


def enough(photos: PhotoDataset) -> PhotoDataset:
    """The photos that temperatures are fitted to: all, or as many as ``FITTED``, evenly spread."""
    most = max(1, FITTED // len(photos.classes))
    if len(photos) <= most:
        return photos
    return photos.subset(torch.linspace(0, len(photos) - 1, most).long().tolist())


def calibrate(model: Trained, photos: PhotoDataset) -> Tensor:
    """The temperature of each of the 4,096 settings, (4096,), by ``Switches.index``.

    Some five forward passes a photo, then a few seconds for every thousand photos and class.

    Args:
        model: to be calibrated.
        photos: that it was neither trained nor tested on; see :func:`enough`.
    """
    tables = (table for x, _ in batches(model, photos) for table in factorials(model, x))
    return temperatures(tables, torch.tensor(photos.labels))


def temperatures(tables: Iterable[Table], labels: Tensor) -> Tensor:
    """The temperature of each of the 4,096 settings, from photos' tables and labels (N,)."""
    terms: dict[str, list[Tensor]] = {"plain": [], **{side: [] for side in SIDES}}
    rows: Mapping[str, Tensor] = {}
    for table in tables:  # one at a time, and in half the bytes
        terms["plain"].append(table.plain.float())
        for side in SIDES:
            terms[side].append(table.terms[side].float())
        rows = table.rows
    plain = torch.stack(terms["plain"])  # (N, K)
    dis, con = (torch.stack(terms[side], 1) for side in SIDES)  # (settings of the side, N, K)
    at_once = max(1, NUMBERS // plain.numel())
    fitted = torch.stack(
        [
            torch.cat([fit_temperatures(plain + D + C, labels) for C in con.split(at_once)])
            for D in dis
        ]
    )
    return fitted[rows["dis"], rows["con"]]
