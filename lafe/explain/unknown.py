"""Photos of things that a model does not know: a score with a threshold in the card."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.explain.prepare import Prepared

KINDS = ("max_probability", "energy", "class_means")
ACCEPTED = 0.95
"""The share of the model's own kind of photos, held out from training, that is accepted."""


def score(kind: str, logits: Tensor, pooled: Tensor, means: Tensor | None) -> Tensor:
    """A score of how familiar photos look under the full setting; higher is more familiar.

    ``max_probability`` (Hendrycks and Gimpel, 2017); ``energy`` (Liu et al., 2020, temperature 1,
    sign turned); ``class_means``: the largest cosine of ``GAP(F_5)`` with a class's mean over
    training photos.

    Shape: logits (N, K), pooled (N, C_5), means (K, C_5) -> (N,).

    Raises:
        ValueError: no such kind, or no means where they are needed.
    """
    if kind == "max_probability":
        return logits.float().softmax(-1).amax(-1)
    if kind == "energy":
        return logits.float().logsumexp(-1)
    if kind == "class_means" and means is not None:
        cosines = F.normalize(pooled.float(), dim=-1) @ F.normalize(means.float(), dim=-1).T
        return cosines.amax(-1)
    raise ValueError(f"A score is one of {', '.join(KINDS)} (which needs means), not {kind!r}.")


def class_means(pooled: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean of each class's photos: (N, C), (N,) -> (classes, C); 0 for a class of none."""
    sums = pooled.new_zeros(classes, pooled.shape[1]).index_add(0, labels, pooled)
    return sums / labels.bincount(minlength=classes).clamp(min=1)[:, None]


def fit(scores: Tensor) -> float:
    """The threshold that accepts 95 % of held-out photos, from their scores (N,)."""
    return float(torch.quantile(scores.float(), 1 - ACCEPTED))


def familiarity(photo: Prepared) -> float | None:
    """The card's score of a photo; None if there is no card, or none in it."""
    model = photo.model
    if not isinstance(model, Trained) or not model.card.unknown:
        return None
    fused = photo.fused(Switches.all())
    return float(card_scores(model, fused.logits[None], fused.F5)[0])


def card_scores(model: Trained, logits: Tensor, F5: Tensor) -> Tensor:
    """The card's score of photos, from what the full setting gives for them.

    Shape: logits (N, K), F5 (N, C_5, H_5, W_5) -> (N,).
    """
    return score(model.card.unknown["score"], logits, F5.mean((2, 3)), model.class_means)


def looks_unknown(photo: Prepared) -> bool:
    """True if a photo falls below the card's threshold; False where there is no threshold."""
    found = familiarity(photo)
    return found is not None and found < photo.card.unknown["threshold"]
