"""Scores that tell photos of unknown things, compared on photos that did not set them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lafe.explain.unknown import KINDS, fit, score
from lafe.measure.outputs import Outputs
from lafe.measure.report import UnknownScore

Scores = Mapping[str, Tensor]
"""The familiarity of each photo, (N,), by kind of score."""


def scores(outputs: Outputs, means: Tensor) -> Scores:
    """Every kind of score; means (K, C_5) are those of the classes' training photos."""
    return {kind: score(kind, outputs.logits["full"], outputs.final, means) for kind in KINDS}


def compare(own: Scores, test: Scores, foreign: Mapping[str, Scores]) -> dict[str, UnknownScore]:
    """Each score's threshold, and what share of test and of foreign photos falls below it.

    Args:
        own: of held-out photos, which set the threshold.
        test: of the model's own test photos.
        foreign: by data set, of photos of things that the model does not know.
    """
    return {
        kind: UnknownScore(
            threshold := fit(values),
            _below(test[kind], threshold),
            {name: _below(by_kind[kind], threshold) for name, by_kind in foreign.items()},
        )
        for kind, values in own.items()
    }


def _below(values: Tensor, threshold: float) -> float:
    return float((values < threshold).float().mean())


def best(compared: Mapping[str, UnknownScore], default: str = "class_means") -> str:
    """The kind that catches the most foreign photos, on average over their data sets."""

    def caught(kind: str) -> float:
        shares = compared[kind].caught.values()
        return sum(shares) / len(shares)

    return max(compared, key=caught) if compared[default].caught else default
