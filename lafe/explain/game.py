"""Games whose coalitions are all known: Harsanyi's dividends, and interaction indices by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch
from lafe.explain.indices import INDICES

Players = tuple[int, ...]

_BERNOULLI = (1, -1 / 2, 1 / 6, 0, -1 / 30, 0, 1 / 42, 0, -1 / 30, 0, 5 / 66, 0, -691 / 2730)


@dataclass(frozen=True)
class Interactions:
    """Interactions of up to ``order`` players; for the table of settings, players are branches.

    Attributes:
        index: one of ``INDICES``.
        order: the most players that interact.
        players: how many there are.
        values: by the players' numbers, in order; ``()`` is what the index gives to nobody.
        baseline: what the game is worth to nobody.
    """

    index: str
    order: int
    players: int
    values: Mapping[Players, float]
    baseline: float

    def __getitem__(self, branches: Branch | tuple[Branch, ...]) -> float:
        """The interaction of some of the twelve branches."""
        asked = (branches,) if isinstance(branches, Branch) else branches
        return self.values[tuple(sorted(branch.bit for branch in asked))]

    def to_json(self, about: str = "") -> str:
        """A file that ``shapiq.InteractionValues.load`` reads; its name must end in ``.json``.

        Args:
            about: what the game is, for people.
        """
        names = [str(branch) for branch in EVERY_BRANCH]
        whole: dict[str, Any] = {
            "object_name": "InteractionValues",
            "data_type": "interaction_values",
            "version": None,
            "created_from": None,
            "description": about,
            "parameters": {"players": names if self.players == len(names) else None},
            "timestamp": None,
            "metadata": {
                "n_players": self.players,
                "index": self.index,
                "max_order": self.order,
                "min_order": 0,
                "estimated": False,
                "estimation_budget": None,
                "baseline_value": self.baseline,
            },
            "data": {",".join(map(str, s)) or "Empty": v for s, v in self.values.items()},
        }
        return json.dumps(whole, indent=1) + "\n"


def interaction_indices(values: Tensor, index: str = "k-SII", order: int = 2) -> Interactions:
    """Exact interactions of all coalitions of up to ``order`` players.

    Args:
        values: of every coalition, (2^n,) with n up to 12; player i is bit i of the index.
        index: one of ``INDICES``.
        order: from 1 to n.

    Raises:
        ValueError: no such index or order.
    """
    players = len(values).bit_length() - 1
    if index not in INDICES:
        raise ValueError(f"There is no index {index!r}: choose one of {', '.join(INDICES)}.")
    if not 1 <= order <= players:
        raise ValueError(f"An order is from 1 to {players}, not {order}.")
    moebius, member = dividends(values)
    sizes = member.sum(0).long()
    coalitions = [s for k in range(order + 1) for s in combinations(range(players), k)]
    masks = torch.tensor([sum(1 << i for i in s) for s in coalitions])
    every = torch.arange(len(values))

    def over_supersets(weight: Callable[[int, int], float]) -> Tensor:
        """Sums by coalition S: weight(|S|, |T|) times the dividend, over each T with S."""
        table = torch.tensor(
            [[weight(s, t) for t in range(players + 1)] for s in range(order + 1)],
            dtype=torch.float64,
        )
        holds = every[None] & masks[:, None] == masks[:, None]
        return (holds * table[sizes[masks]][:, sizes] * moebius).sum(1)

    weights: dict[str, Callable[[int, int], float]] = {
        "SII": lambda s, t: 1 / (t - s + 1) if t >= s else 0,
        "BII": lambda s, t: 0.5 ** (t - s) if t >= s else 0,
        "Moebius": lambda s, t: t == s,
        "STII": lambda s, t: t == s if s < order else (1 / comb(t, order) if t >= order else 0),
    }
    found = over_supersets(weights["SII" if index == "k-SII" else index])
    if index == "k-SII":
        found = _aggregated(found, masks, sizes, order)
        found[0] = values[0]  # nobody's share is what the game is worth to nobody
    pairs = zip(coalitions, found.tolist(), strict=True)
    return Interactions(index, order, players, MappingProxyType(dict(pairs)), float(values[0]))


def _aggregated(sii: Tensor, masks: Tensor, sizes: Tensor, order: int) -> Tensor:
    """Each coalition's Shapley interaction and those of its supersets, by Bernoulli's numbers."""
    bernoulli = torch.tensor(_BERNOULLI, dtype=torch.float64)
    more = sizes[masks][None] - sizes[masks][:, None]
    holds = masks[None] & masks[:, None] == masks[:, None]
    return (holds * bernoulli[more.clamp(min=0)] * sii).sum(1)


def dividends(values: Tensor) -> tuple[Tensor, Tensor]:
    """Harsanyi's dividends (2^n,), the Moebius transform, and who is a member (n, 2^n)."""
    players = len(values).bit_length() - 1
    found = values.double().clone()
    for i in range(players):
        pairs = found.view(-1, 2, 1 << i)  # without and with player i
        pairs[:, 1] -= pairs[:, 0]
    coalitions = torch.arange(len(values), device=values.device)
    member = torch.stack([coalitions >> i & 1 for i in range(players)]).double()
    return found, member
