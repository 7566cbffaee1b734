"""Figures of a model's outputs: accuracy, calibration, confusions, and whether branches matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.measure.outputs import ROWS, Outputs
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


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al., 2017): equal-width bins of the top probability.

    Args:
        confidence: the top probability of each photo, (N,).
        right: 1.0 where its class is the true one, else 0.0, (N,).
        bins: how many.
    """
    gaps = torch.zeros(bins).index_add(0, _places(confidence, bins), right - confidence)
    return float(gaps.abs().sum() / len(right))


def reliability(confidence: Tensor, right: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """The same bins one by one; empty ones are left out."""
    place = _places(confidence, bins)
    return tuple(
        Bin(int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
        for here in (place == b for b in place.unique())
    )


def _places(confidence: Tensor, bins: int) -> Tensor:
    """The bin of each photo, (N,)."""
    return (confidence * bins).long().clamp(max=bins - 1)


def accuracy(outputs: Outputs) -> dict[str, Accuracy]:
    """Top-1, top-5 and calibration error of every preset."""
    found = {}
    for name, answers in outputs.answers.items():
        right = outputs.right(name)
        error = calibration_error(answers.confidence, right)
        found[name] = Accuracy(float(right.mean()), float(answers.top5.mean()), error)
    return found


def confused(
    predicted: Tensor, labels: Tensor, classes: Sequence[str], most: int = 10
) -> tuple[Confusion, ...]:
    """The ordered pairs (true, predicted) that are mixed up most often; of equals, the first.

    Shape: predicted and labels (N,).
    """
    pairs = zip(labels.tolist(), predicted.tolist(), strict=True)
    counts = Counter((true, other) for true, other in pairs if true != other)
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(Confusion(classes[true], classes[other], n) for (true, other), n in top)


def branch_figures(train: Outputs, test: Outputs, weight: Tensor, bias: Tensor) -> BranchFigures:
    """Measures of whether the branches matter on test photos, of which the probes saw none.

    Shape: weight (K, C_5) and bias (K,) of the classifier.
    """
    full = test.answers["full"].predicted
    parts = [
        _terms(
            {name: pooled[rows] for name, pooled in test.pooled.items()},
            full[rows],
            test.labels[rows],
            (weight, bias),
        )
        for rows in torch.arange(len(full)).split(ROWS)
    ]
    terms, margins = (
        {name: torch.cat([part[i][name] for part in parts]) for name in parts[0][i]} for i in (0, 1)
    )
    of_none = terms["f5"]
    moved = (terms["D"] + terms["C"]).abs()
    return BranchFigures(
        share=float((moved / (moved + of_none.abs())).mean()),
        logit_of_predicted=Terms(**{name: float(term.mean()) for name, term in terms.items()}),
        changes_without=Changes(
            D=_changes(test, "no discriminative"),
            C=_changes(test, "no confusable"),
            both=_changes(test, "plain backbone"),
        ),
        margin_added=Sides(**{name: float(lead.mean()) for name, lead in margins.items()}),
        cosine_with_f5=Sides(
            **{
                n: float(F.cosine_similarity(test.pooled[n], test.pooled["f5"]).mean())
                for n in ("D", "C")
            }
        ),
        linear_probe_top1=Terms(
            **{
                n: linear_probe((train.pooled[n], train.labels), (test.pooled[n], test.labels))
                for n in terms
            }
        ),
    )


def _terms(
    pooled: Mapping[str, Tensor],
    predicted: Tensor,
    labels: Tensor,
    classifier: tuple[Tensor, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The terms of the predicted class's centred logit, and the margins of D and -C, (N,) each.

    Args:
        pooled: GAP of f_5, D and C of some photos, (N, C_5) each.
        predicted, labels: (N,).
        classifier: weight (K, C_5) and bias (K,).
    """
    weight, bias = classifier
    terms = {name: _centred(p @ weight.T) for name, p in pooled.items()}
    terms["f5"] = terms["f5"] + _centred(bias[None])
    terms["C"] = -terms["C"]
    full = terms["f5"] + terms["D"] + terms["C"]
    return (
        {name: term.gather(1, predicted[:, None])[:, 0] for name, term in terms.items()},
        {name: margin(full, terms[name], labels)[:, 0] for name in ("D", "C")},
    )


def _centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(1, keepdim=True)


def _changes(test: Outputs, preset: str) -> float:
    """The share of photos whose class another preset than the full one changes."""
    changed = test.answers["full"].predicted != test.answers[preset].predicted
    return float(changed.float().mean())


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
    named = [(part @ weight.T + bias).argmax(1) for part in x_test.split(ROWS)]
    return float((torch.cat(named) == y_test).float().mean())
