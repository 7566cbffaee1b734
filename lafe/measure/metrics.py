"""Figures of a model's outputs: accuracy, calibration, confusions, and whether branches matter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.measure.outputs import Outputs
from lafe.measure.report import (
    Accuracy,
    Bin,
    BranchFigures,
    Changes,
    Confusion,
    Sides,
    Terms,
)
from lafe.train.probe import linear_classifier

BINS = 15


def top_k(logits: Tensor, labels: Tensor, k: int) -> float:
    """Share of photos whose label is among the k highest logits; (N, K), (N,)."""
    k = min(k, logits.shape[1])
    return float((logits.topk(k, 1).indices == labels[:, None]).any(1).float().mean())


def calibration_error(logits: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al., 2017): equal-width bins of the top probability."""
    confidence, right, place = _binned(logits, labels, bins)
    gaps = torch.zeros(bins).index_add(0, place, right - confidence)
    return float(gaps.abs().sum() / len(labels))


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """The same bins one by one; empty ones are left out."""
    confidence, right, place = _binned(logits, labels, bins)
    return tuple(
        Bin(int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
        for here in (place == b for b in place.unique())
    )


def _binned(logits: Tensor, labels: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Top probability, right or wrong, and the bin of each photo, (N,) each."""
    confidence, predicted = logits.softmax(1).max(1)
    place = (confidence * bins).long().clamp(max=bins - 1)
    return confidence, (predicted == labels).float(), place


def accuracy(outputs: Outputs) -> dict[str, Accuracy]:
    """Top-1, top-5 and calibration error of every preset."""
    y = outputs.labels
    return {
        name: Accuracy(top_k(z, y, 1), top_k(z, y, 5), calibration_error(z, y))
        for name, z in outputs.logits.items()
    }


def confused(
    logits: Tensor, labels: Tensor, classes: Sequence[str], most: int = 10
) -> tuple[Confusion, ...]:
    """The ordered pairs (true, predicted) that are mixed up most often."""
    k = len(classes)
    predicted = logits.argmax(1)
    wrong = predicted != labels
    counts = torch.bincount(labels[wrong] * k + predicted[wrong], minlength=k * k)
    top = counts.topk(min(most, k * k))
    return tuple(
        Confusion(classes[i // k], classes[i % k], n)
        for i, n in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        if n
    )


def branch_figures(train: Outputs, test: Outputs, weight: Tensor, bias: Tensor) -> BranchFigures:
    """Measures of whether the branches matter on test photos, of which the probes saw none.

    Shape: weight (K, C_5) and bias (K,) of the classifier.
    """
    y, z = test.labels, test.logits
    full, none = _centred(z["full"]), _centred(z["plain backbone"])
    predicted = full.argmax(1, keepdim=True)
    of_full, of_none = full.gather(1, predicted), none.gather(1, predicted)
    moved = (of_full - of_none).abs()
    terms = {name: _centred(pooled @ weight.T) for name, pooled in test.pooled.items()}
    terms["f5"] = terms["f5"] + _centred(bias[None])
    terms["C"] = -terms["C"]
    return BranchFigures(
        share=float((moved / (moved + of_none.abs())).mean()),
        logit_of_predicted=Terms(
            **{n: float(t.gather(1, predicted).mean()) for n, t in terms.items()}
        ),
        changes_without=Changes(
            D=_changes(z["full"], z["no discriminative"]),
            C=_changes(z["full"], z["no confusable"]),
            both=_changes(z["full"], z["plain backbone"]),
        ),
        margin_added=Sides(
            **{n: float(margin(full, terms[n], y).mean()) for n in ("D", "C")},
        ),
        cosine_with_f5=Sides(
            **{
                n: float(F.cosine_similarity(test.pooled[n], test.pooled["f5"]).mean())
                for n in ("D", "C")
            }
        ),
        linear_probe_top1=Terms(
            **{n: linear_probe((train.pooled[n], train.labels), (test.pooled[n], y)) for n in terms}
        ),
    )


def _centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(1, keepdim=True)


def _changes(a: Tensor, b: Tensor) -> float:
    return float((a.argmax(1) != b.argmax(1)).float().mean())


def margin(rivals: Tensor, part: Tensor, labels: Tensor) -> Tensor:
    """A part's lead of the true class over its strongest rival, (N, 1).

    Args:
        rivals: logits that say which wrong class is the strongest, (N, K).
        part: logits of the part, (N, K).
        labels: (N,).
    """
    true = labels[:, None]
    rival = rivals.scatter(1, true, -torch.inf).argmax(1, keepdim=True)
    return part.gather(1, true) - part.gather(1, rival)


def linear_probe(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Top-1 on test of a logistic regression on training features (N, C), (N,)."""
    (x, y), (x_test, y_test) = train, test
    weight, bias = linear_classifier(x, y, int(max(y.max(), y_test.max())) + 1)
    return top_k(x_test @ weight.T + bias, y_test, 1)
