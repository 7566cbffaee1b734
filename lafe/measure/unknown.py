"""Scores that tell unknown photos, chosen on other photos than they are reported on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.explain.unknown import KINDS, fit
from lafe.measure.calibration import NUMBERS
from lafe.measure.outputs import ROWS, Outputs
from lafe.measure.report import UnknownScore

Scores = Mapping[str, Tensor]
"""The familiarity of each photo, (N,), by kind of score."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """All that scores know of K classes.

    Attributes:
        weight, bias: of the classifier, (K, C_5) and (K,).
        means: of the classes' training photos, (K, C_5).
    """

    weight: Tensor
    bias: Tensor
    means: Tensor


def scores(outputs: Outputs, known: Knowledge) -> Scores:
    """Every kind of score."""
    full = outputs.answers["full"]
    nearest = _without_a_class(_cosines(outputs, known)).best
    return {"max_probability": full.confidence, "energy": full.energy, "class_means": nearest}


def compare(
    held_out: Outputs, test: Outputs, foreign: Mapping[str, Outputs], known: Knowledge
) -> dict[str, UnknownScore]:
    """Each score's threshold, and what share of the known and of the unknown falls below it.

    Every second photo of each other data set, and the held-out photos whose class is left out,
    choose a score; what is reported is of the others.

    Args:
        held_out: of photos held out from training, which set the threshold.
        test: of the model's own test photos.
        foreign: by data set, of photos of things that the model does not know.
        known: of the model.
    """
    own, tested = scores(held_out, known), scores(test, known)
    others = {name: scores(outputs, known) for name, outputs in foreign.items()}
    own_of_each = thresholds(held_out, known)
    unheard = left_out(own_of_each, held_out, known)
    reported = left_out(own_of_each, test, known)
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


def left_out(own: Scores, photos: Outputs, known: Knowledge) -> dict[str, float]:
    """The share of photos that look unknown once their class is left out of the score, by kind.

    For each class a score of its own, without the class's mean and logit, whose threshold is set by
    held-out photos of the other classes.  The weights have learned the class: a new one may be
    harder to tell.

    Args:
        own: the threshold of each class's own scores, see :func:`thresholds`.
        photos: that are asked.
        known: of the model.
    """
    if not own:
        return {}
    y = photos.labels
    seen = _Forgetful(photos, known).scores(y[:, None])
    return {kind: float((seen[kind][:, 0] < own[kind][y]).double().mean()) for kind in KINDS}


def thresholds(held_out: Outputs, known: Knowledge) -> Scores:
    """The threshold of each class's own scores, which know nothing of it, (K,) by kind.

    Empty where photos of one class alone are held out: none is left to set a threshold.
    """
    if len(held_out.labels.unique()) < 2:
        return {}
    forgetful = _Forgetful(held_out, known)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    at_once = max(1, NUMBERS // len(held_out.labels))
    for classes in torch.arange(len(known.means)).split(at_once):
        scored = forgetful.scores(classes[None])
        for i, left in enumerate(classes.tolist()):
            others = held_out.labels != left
            for kind in KINDS:
                found[kind].append(fit(scored[kind][others, i]))
    return {kind: torch.tensor(values) for kind, values in found.items()}


class _Forgetful:
    """Every score of N photos that knows all classes but one."""

    def __init__(self, photos: Outputs, known: Knowledge) -> None:
        self.logits = _Linear(photos.final, known.weight, known.bias)
        self.of_logits = _without_a_class(self.logits)
        self.of_cosines = _without_a_class(_cosines(photos, known))

    def scores(self, left: Tensor) -> Scores:
        """Scores (N, n) by kind, without classes (N or 1, n), each alone."""
        energy = self.of_logits.energy_without(self.logits, left)
        return {
            "max_probability": (self.of_logits.best_without(left) - energy).exp(),
            "energy": energy,
            "class_means": self.of_cosines.best_without(left),
        }


@dataclass(frozen=True, eq=False)
class _Linear:
    """A table of N photos and K classes, which is ``x @ weight.T + bias`` and never there whole."""

    x: Tensor
    weight: Tensor
    bias: Tensor

    def at(self, left: Tensor) -> Tensor:
        """The table's values at classes (N or 1, n) -> (N, n)."""
        if len(left) == 1:  # the same classes of all photos
            return self.x @ self.weight[left[0]].T + self.bias[left[0]]
        return torch.cat(
            [
                (self.x[rows] @ self.weight.T + self.bias).gather(1, left[rows])
                for rows in torch.arange(len(self.x)).split(ROWS)
            ]
        )


def _cosines(photos: Outputs, known: Knowledge) -> _Linear:
    means = F.normalize(known.means.float(), dim=-1)
    return _Linear(F.normalize(photos.final.float(), dim=-1), means, means.new_zeros(len(means)))


@dataclass(frozen=True, eq=False)
class _Without:
    """Parts that are left of each row of a table (N, K) without one of its values.

    Attributes:
        where, best, second: the highest value's place, it, and the next one, (N,).
        energy, rest: logarithm of the sum of exponentials, of all values and of all but the
            highest, (N,).
    """

    where: Tensor
    best: Tensor
    second: Tensor
    energy: Tensor
    rest: Tensor

    def best_without(self, left: Tensor) -> Tensor:
        """The highest value without classes (N or 1, n), each alone -> (N, n)."""
        is_best = self.where[:, None] == left
        return torch.where(is_best, self.second[:, None], self.best[:, None])

    def energy_without(self, table: _Linear, left: Tensor) -> Tensor:
        """The logarithm of the sum of exponentials without classes (N or 1, n), each alone."""
        is_best = self.where[:, None] == left
        # Any but the highest has less than half of the sum, so that little is lost here.
        share = (table.at(left) - self.energy[:, None]).exp().clamp(max=0.5)
        return torch.where(is_best, self.rest[:, None], self.energy[:, None] + (-share).log1p())


def _without_a_class(table: _Linear) -> _Without:
    parts: list[tuple[Tensor, ...]] = []
    for x in table.x.split(ROWS):
        z = x @ table.weight.T + table.bias
        (best, second), (where, _) = (t.unbind(1) for t in z.topk(2, 1))
        rest = z.scatter(1, where[:, None], -torch.inf).logsumexp(1)
        parts.append((where, best, second, z.logsumexp(1), rest))
    return _Without(*map(torch.cat, zip(*parts, strict=True)))


def _below(values: Tensor, threshold: float) -> float:
    return float((values < threshold).float().mean())


def best(compared: Mapping[str, UnknownScore]) -> str:
    """The kind that catches most of the photos that choose."""
    return max(compared, key=lambda kind: compared[kind].choosing or 0.0)
