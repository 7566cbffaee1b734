"""The prediction of a setting for a photo, and the change against another setting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lafe.explain.evidence import lookalikes


@dataclass(frozen=True, eq=False)
class Outcome:
    """A prediction.

    Attributes:
        classes: names in label order.
        logits, probabilities: (K,).
    """

    classes: list[str]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities, likeliest first."""
        order = np.argsort(-self.logits, kind="stable")[:count]
        return [(self.classes[k], float(self.probabilities[k])) for k in order]

    @property
    def best(self) -> str:
        return self.top(1)[0][0]

    def lookalikes(self, name: str) -> tuple[str, ...]:
        """The classes whose logits are nearest to that of a class, nearest first."""
        near = lookalikes(torch.from_numpy(self.logits), self.classes.index(name))
        return tuple(self.classes[label] for label in near)

    def probability(self, name: str) -> float | None:
        """The probability of a class; None if the model does not know it."""
        return float(self.probabilities[self.classes.index(name)]) if name in self.classes else None

    def rank(self, name: str) -> int | None:
        """1 for the likeliest class; None for one that the model does not know."""
        if name not in self.classes:
            return None
        return 1 + int((self.logits > self.logits[self.classes.index(name)]).sum())


@dataclass(frozen=True)
class Change:
    """The class that A predicts, in B.

    Attributes:
        identical: the same model under the same setting gave the same bits.
        before, after: the predicted classes of A and B.
        probability_before, probability_after: of A's class; None if B's model does not know it.
        rank_after: of A's class in B.
    """

    identical: bool
    before: str
    after: str
    probability_before: float
    probability_after: float | None
    rank_after: int | None

    @property
    def flipped(self) -> bool:
        return self.before != self.after

    @property
    def points(self) -> float | None:
        """Percentage points that A's class gained in B."""
        if self.probability_after is None:
            return None
        return 100 * (self.probability_after - self.probability_before)


def outcome(classes: list[str], logits: Tensor, probabilities: Tensor) -> Outcome:
    """The prediction of a setting, from what it gives (K,) for each class."""
    return Outcome(classes, logits.numpy(), probabilities.numpy())


def change(a: Outcome, b: Outcome) -> Change:
    """The change from A to B."""
    name, probability = a.top(1)[0]
    return Change(
        identical=a.classes == b.classes and np.array_equal(a.logits, b.logits),
        before=name,
        after=b.best,
        probability_before=probability,
        probability_after=b.probability(name),
        rank_after=b.rank(name),
    )
