"""Temperatures: what logits are divided by so that probabilities say how often a model is right."""

from __future__ import annotations

import torch
from torch import Tensor

COLDEST, HOTTEST = 1 / 32, 32.0
"""Outside of these no temperature is sought: if all photos are right, none is cold enough."""

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
