"""Scores that tell unknown photos, chosen on other photos than they are reported on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lafe.explain.unknown import KINDS, fit, score
from lafe.measure.outputs import Outputs
from lafe.measure.report import UnknownScore

Scores = Mapping[str, Tensor]
"""The familiarity of each photo, (N,), by kind of score."""


def scores(outputs: Outputs, means: Tensor) -> Scores:
    """Every kind of score; means (K, C_5) are those of the classes' training photos."""
    every = (torch.ones(len(each), dtype=torch.bool) for each in (outputs.labels, means))
    return _scores(outputs, means, *every)


def compare(
    held_out: Outputs, test: Outputs, foreign: Mapping[str, Outputs], means: Tensor
) -> dict[str, UnknownScore]:
    """Each score's threshold, and what share of the known and of the unknown falls below it.

    Every second photo of each other data set, and the held-out photos whose class is left out,
    choose a score; what is reported is of the others.

    Args:
        held_out: of photos held out from training, which set the threshold.
        test: of the model's own test photos.
        foreign: by data set, of photos of things that the model does not know.
        means: those of the classes' training photos, (K, C_5).
    """
    own, tested = scores(held_out, means), scores(test, means)
    others = {name: scores(outputs, means) for name, outputs in foreign.items()}
    unheard = left_out(held_out, held_out, means)
    reported = left_out(held_out, test, means)
    found = {}
    for kind, values in own.items():
        threshold = fit(values)
        choosing = [_below(each[kind][::2], threshold) for each in others.values()]
        choosing += [unheard[kind]] if unheard else []
        found[kind] = UnknownScore(
            threshold,
            _below(tested[kind], threshold),
            {name: _below(each[kind][1::2], threshold) for name, each in others.items()},
            reported.get(kind),
            sum(choosing) / len(choosing) if choosing else None,
        )
    return found


def left_out(held_out: Outputs, photos: Outputs, means: Tensor) -> dict[str, float]:
    """The share of photos that look unknown once their class is left out of the score, by kind.

    For each class a score of its own, without the class's mean and logit, whose threshold is set by
    held-out photos of the other classes.  The weights have learned the class: a new one may be
    harder to tell.  Empty where photos of one class alone are held out.
    """
    if len(held_out.labels.unique()) < 2:
        return {}
    unknown = dict.fromkeys(KINDS, 0)
    for left in photos.labels.unique().tolist():
        others = torch.arange(len(means)) != left
        own = _scores(held_out, means, held_out.labels != left, others)
        seen = _scores(photos, means, photos.labels == left, others)
        for kind in KINDS:
            unknown[kind] += int((seen[kind] < fit(own[kind])).sum())
    return {kind: count / len(photos.labels) for kind, count in unknown.items()}


def _scores(outputs: Outputs, means: Tensor, photos: Tensor, classes: Tensor) -> Scores:
    """Scores of some photos, (N,) bool, that know some classes alone, (K,) bool."""
    logits, pooled = outputs.logits["full"][photos][:, classes], outputs.final[photos]
    return {kind: score(kind, logits, pooled, means[classes]) for kind in KINDS}


def _below(values: Tensor, threshold: float) -> float:
    return float((values < threshold).float().mean())


def best(compared: Mapping[str, UnknownScore]) -> str:
    """The kind that catches most of the photos that choose."""
    return max(compared, key=lambda kind: compared[kind].choosing or 0.0)
