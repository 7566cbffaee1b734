"""Interaction indices, from their definitions by discrete derivatives, and against shapiq."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb, factorial
from pathlib import Path

import numpy as np
import pytest
import torch

import lafe
from lafe.branches import Branch
from lafe.explain.game import interaction_indices
from lafe.explain.indices import INDICES

PLAYERS = 5
GAME = torch.from_numpy(np.random.default_rng(0).normal(size=1 << PLAYERS))


def subsets(of: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(of, k) for k in range(len(of) + 1)))


def worth(s: tuple[int, ...]) -> float:
    return float(GAME[sum(1 << i for i in s)])


def derivative(s: tuple[int, ...], at: tuple[int, ...]) -> float:
    """What the players of s add together to a coalition without them."""
    return sum((-1) ** (len(s) - len(part)) * worth(at + part) for part in subsets(s))


def by_definition(index: str, s: tuple[int, ...], order: int) -> float:
    rest = tuple(i for i in range(PLAYERS) if i not in s)
    n, k = PLAYERS, len(s)
    if index == "SII":
        return sum(
            factorial(len(t)) * factorial(n - k - len(t)) / factorial(n - k + 1) * derivative(s, t)
            for t in subsets(rest)
        )
    if index == "BII":
        return sum(derivative(s, t) / 2 ** (n - k) for t in subsets(rest))
    if index == "STII" and k == order:
        return sum(k / n * derivative(s, t) / comb(n - 1, len(t)) for t in subsets(rest))
    return derivative(s, ())  # Moebius, and STII below its order


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("index", ["SII", "BII", "STII", "Moebius"])
def test_an_index_is_its_definition(index: str, order: int) -> None:
    found = interaction_indices(GAME, index, order)
    for s in chain.from_iterable(combinations(range(PLAYERS), k) for k in range(1, order + 1)):
        assert found.values[s] == pytest.approx(by_definition(index, s, order), abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("index", ["k-SII", "STII"])
def test_efficient_indices_share_out_all_of_the_game(index: str, order: int) -> None:
    found = interaction_indices(GAME, index, order)
    assert sum(found.values.values()) == pytest.approx(float(GAME[-1]), abs=1e-12)
    assert found.values[()] == pytest.approx(float(GAME[0]))


def test_the_highest_order_of_k_sii_is_the_shapley_interaction() -> None:
    pairs, shapley = interaction_indices(GAME, "k-SII", 2), interaction_indices(GAME, "SII", 2)
    for s in combinations(range(PLAYERS), 2):
        assert pairs.values[s] == pytest.approx(shapley.values[s])
    # For pairs: a player's own share is its Shapley value less half of its interactions.
    for i in range(PLAYERS):
        own = shapley.values[(i,)] - sum(
            shapley.values[s] / 2 for s in combinations(range(PLAYERS), 2) if i in s
        )
        assert pairs.values[(i,)] == pytest.approx(own)


@pytest.mark.parametrize("index", INDICES)
def test_shapiq_finds_the_same_and_reads_the_file(index: str, tmp_path: Path) -> None:
    shapiq = pytest.importorskip("shapiq")
    from shapiq.game_theory.exact import ExactComputer

    players = 6
    values = torch.from_numpy(np.random.default_rng(1).normal(size=1 << players))
    bits = 1 << np.arange(players)
    theirs = ExactComputer(
        lambda coalitions: values.numpy()[coalitions.astype(int) @ bits], n_players=players
    )
    order = players if index == "Moebius" else 3
    expected = theirs(index, order)
    found = interaction_indices(values, index, order)
    assert set(found.values) == set(expected.dict_values)
    for s, value in expected.dict_values.items():
        assert found.values[s] == pytest.approx(value, abs=1e-9)
    (tmp_path / "game.json").write_text(found.to_json("a game"))
    read = shapiq.InteractionValues.load(tmp_path / "game.json")
    assert read.dict_values == dict(found.values)
    assert (read.index, read.max_order, read.n_players) == (index, order, players)
    assert read.baseline_value == expected.baseline_value
    assert read[(0, 2)] == found.values[0, 2]


def test_branches_are_players_by_their_bits() -> None:
    values = torch.zeros(4096, dtype=torch.float64)
    a, b = Branch(3, "r", "dis"), Branch(5, "c", "con")
    both = 1 << a.bit | 1 << b.bit
    values[[i for i in range(4096) if i & both == both]] = 1.0
    found = interaction_indices(values, "STII", 2)
    assert found[b, a] == pytest.approx(1)
    assert found[a] == 0


def test_an_unknown_index_or_order_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of k-SII"):
        interaction_indices(GAME, "FSII")
    with pytest.raises(ValueError, match="from 1 to 5"):
        lafe.interaction_indices(GAME, "STII", 6)
