"""Deletion and insertion: what the score does as a photo goes, and comes, in a map's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from lafe.branches import FULL, Switches
from lafe.explain.attribution.baselines import baseline
from lafe.explain.attribution.registry import Progress
from lafe.explain.maps import Map
from lafe.explain.probabilities import probabilities
from lafe.model.lafe import LAFE

Score = Callable[[Tensor], Tensor]
"""Photos (B, 3, S, S) -> one number each, (B,)."""

_BATCH = 8


@dataclass(frozen=True)
class Curves:
    """Scores after 0, 1, ..., ``steps`` equal shares of the pixels, highest values first.

    Attributes:
        deletion: of the photo as its pixels give way to the baseline.
        insertion: of the baseline as the photo's pixels come back.
    """

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def deletion_area(self) -> float:
        """Mean height of the deletion curve: low where the map names what matters."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> float:
        """Mean height of the insertion curve: high where the map names what matters."""
        return _area(self.insertion)


def _area(scores: tuple[float, ...]) -> float:
    return float(np.trapezoid(scores)) / (len(scores) - 1)


def probability(model: LAFE, target: int, switches: Switches = FULL) -> Score:
    """The probability of a class under a setting: the score of Petsiuk et al."""

    def score(x: Tensor) -> Tensor:
        return probabilities(model, model(x, switches), switches)[:, target]

    return score


@torch.no_grad()
def curves(
    score: Score,
    x: Tensor,
    maps: Mapping[str, Map],
    *,
    steps: int = 16,
    against: str = "blur",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Curves]:
    """The curves of several maps of one photo.

    Args:
        score: what is followed, such as :func:`probability`.
        x: the photo, (1, 3, S, S).
        maps: by name, (h, w) each; at least one.
        steps: equal shares that the pixels go in.
        against: the baseline, see :mod:`lafe.baselines`.
        seed: of the order of pixels that are equal.
        progress: told the share that is done, 0 to 1; what it raises stops the work.

    Raises:
        ValueError: no such baseline, or less than one step.

    Source: Petsiuk et al., BMVC 2018 (RISE).
    """
    if steps < 1:
        raise ValueError(f"A curve takes one step or more, not {steps}.")
    plain = baseline(x, against)
    ends = score(torch.cat([x, plain])).tolist()
    ranks = {name: rank(heat, x.shape[-1], seed).to(x.device) for name, heat in maps.items()}
    wanted = [
        (name, step, deleting)
        for name in maps
        for deleting in (True, False)
        for step in range(1, steps)
    ]
    found: dict[tuple[str, int, bool], float] = {}
    for first in range(0, len(wanted), _BATCH):
        some = wanted[first : first + _BATCH]
        mixed = [_mixed(x, plain, ranks[name] < step / steps, gone) for name, step, gone in some]
        found |= zip(some, score(torch.cat(mixed)).tolist(), strict=True)
        if progress is not None:
            progress(len(found) / len(wanted))

    def curve(name: str, deleting: bool) -> tuple[float, ...]:
        begin, end = ends if deleting else reversed(ends)
        return begin, *(found[name, step, deleting] for step in range(1, steps)), end

    return {name: Curves(curve(name, True), curve(name, False)) for name in maps}


def _mixed(x: Tensor, plain: Tensor, named: Tensor, deleting: bool) -> Tensor:
    return torch.where(named, plain, x) if deleting else torch.where(named, x, plain)


def rank(heat: Map, side: int, seed: int = 0) -> Tensor:
    """Each pixel's place in the order from high to low, from 0 to less than 1, (side, side).

    Equal pixels come in random order: a map that says nothing is the control.
    """
    flat = at_size(heat, side).ravel()
    order = np.lexsort((np.random.default_rng(seed).random(flat.size), -flat))
    places = np.empty(flat.size)
    places[order] = np.arange(flat.size) / flat.size
    return torch.from_numpy(places.reshape(side, side))


def at_size(heat: Map, side: int) -> Map:
    """A map at the size of the input, bilinear: (h, w) -> (side, side) float32."""
    return cv2.resize(np.array(heat, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)


def random_map(side: int, seed: int = 0) -> Map:
    """The control of a map with side x side values: an order that says nothing.

    A coarse order leaves patches whole and a fine one does not, so each needs a control of its own.
    """
    return np.random.default_rng(seed).random((side, side), dtype=np.float32)


def beside_chance(curve: Curves, chance: Sequence[Curves]) -> dict[str, str]:
    """Compare a map's two areas with those of random orders, in words.

    Args:
        curve: the map's.
        chance: those of several random orders, at least one.

    Returns:
        For ``"deletion"`` and ``"insertion"``: better or worse than all of the random orders, or
        as good as some of them.
    """

    def word(own: float, others: list[float]) -> str:
        if min(others) <= own <= max(others):
            return "as chance"
        return "better than chance" if own > max(others) else "worse than chance"

    return {  # deletion is good where its area is small
        "deletion": word(-curve.deletion_area, [-c.deletion_area for c in chance]),
        "insertion": word(curve.insertion_area, [c.insertion_area for c in chance]),
    }
