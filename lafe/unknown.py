"""Does a photo look like anything that the model knows?  A score with a threshold in the card."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lafe.card import Card

ACCEPTED = 0.95
"""The share of the model's own kind of photos, held out from training, that is accepted."""


def score(logits: Tensor, kind: str) -> Tensor:
    """How familiar: (..., K) logits -> (...), higher is more familiar.

    ``max_probability`` (Hendrycks and Gimpel, 2017) or ``energy`` (Liu et al., 2020, temperature 1,
    sign turned so that higher is more familiar).
    """
    if kind == "max_probability":
        return logits.softmax(-1).amax(-1)
    if kind == "energy":
        return logits.logsumexp(-1)
    raise ValueError(f"A score is 'max_probability' or 'energy', not {kind!r}.")


def fit(logits: Tensor, kind: str, measured_on: str) -> dict[str, Any]:
    """The card's field: the threshold that accepts 95 % of held-out photos (N, K)."""
    threshold = torch.quantile(score(logits.float(), kind), 1 - ACCEPTED)
    return {
        "score": kind,
        "threshold": float(threshold),
        "accepted": ACCEPTED,
        "measured_on": measured_on,
    }


def looks_unknown(logits: Tensor, card: Card) -> bool:
    """Whether one photo's logits (K,) fall below the card's threshold; no threshold, no verdict."""
    if not card.unknown:
        return False
    return float(score(logits.float(), card.unknown["score"])) < card.unknown["threshold"]
