"""Factors on D and C: chosen by brute force here, and exact in the model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tiny import CLASSES, photos, tiny_model
from torch import Tensor

import lafe
from lafe import LAFE
from lafe.train import scale as sc
from lafe.train.scale import Scale, apply_scale, fit_scale

N = 14


@pytest.fixture(scope="module")
def model() -> LAFE:
    return tiny_model()


def held_out() -> Iterator[tuple[Tensor, Tensor]]:
    x, y = photos(N), torch.arange(N) % CLASSES
    for i in range(0, N, 5):
        yield x[i : i + 5], y[i : i + 5]


@pytest.mark.parametrize("dis", [0.25, 1.5])
def test_a_factor_on_the_last_batch_norm_is_a_factor_on_the_map(dis: float) -> None:
    model = tiny_model()
    with lafe.record(model) as before:
        model(photos(3))
    apply_scale(model, Scale(dis, 0.5, 0, 0, 0, 0))
    with lafe.record(model) as after:
        model(photos(3))
    assert torch.allclose(after.D, dis * before.D, atol=1e-5)
    assert torch.allclose(after.C, 0.5 * before.C, atol=1e-5)


Pooled = dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]]


@pytest.fixture(scope="module")
@torch.no_grad()
def pooled(model: LAFE) -> Pooled:
    """GAP of f_5, D and C of photo i with the gates of photo j: one photo at a time."""
    features = [model.features(photos(N)[i : i + 1]) for i in range(N)]
    gates = [model.gates(f) for f in features]
    found = {}
    for i in range(N):
        for j in range(N):
            own, other = gates[i], gates[j]
            maps = []
            for side in model.sides.values():
                given = {
                    b: other[b] * own[b].mean() / other[b].mean() * features[i][b.stage - 3]
                    for b in side.branches
                }
                maps.append(side.combine(given).mean((2, 3))[0])  # type: ignore[union-attr]
            found[i, j] = (features[i][-1].mean((2, 3))[0], maps[0], maps[1])
    return found


def by_brute_force(
    model: LAFE, pooled: Pooled, dis: float, con: float
) -> tuple[float, float, float]:
    """Best negative log-likelihood, top-1 and what other gates cost."""
    y = torch.arange(N) % CLASSES

    def logits(i: int, j: int) -> Tensor:
        f5, D, C = pooled[i, j]
        return model.classifier(f5 + dis * D - con * C)

    own = torch.stack([logits(i, i) for i in range(N)])
    right = (own.argmax(1) == y).float().mean()
    g = torch.Generator().manual_seed(0)
    others = []
    for _ in range(sc.DRAWS):
        order = sc._derangement(N, g).tolist()
        swapped = torch.stack([logits(i, order[i]) for i in range(N)])
        others.append((swapped.argmax(1) == y).float().mean())
    best = min(
        float(-(own / t).log_softmax(1)[range(N), y].mean()) for t in (0.5, 0.7, 1.0, 1.4, 2.0)
    )
    return best, float(right), float(right - torch.stack(others).mean())


@torch.no_grad()
@pytest.mark.parametrize("least", [-1.0, 0.03, 2.0])
def test_the_factors_are_those_of_the_lowest_loss_that_keep_the_gates_decisive(
    model: LAFE, pooled: Pooled, monkeypatch: pytest.MonkeyPatch, least: float
) -> None:
    """Where no factors do, those at which another photo's gates cost most."""
    monkeypatch.setattr(sc, "LEAST_COST", least)
    monkeypatch.setattr(sc, "FACTORS", (0.5, 1.0, 3.0))
    found = fit_scale(model, held_out)
    table = {
        (dis, con): by_brute_force(model, pooled, dis, con)
        for dis in (0.5, 1.0, 3.0)
        for con in (0.5, 1.0, 3.0)
    }
    nll, top1, cost = table[found.dis, found.con]
    assert found.nll == pytest.approx(nll, abs=1e-4)
    assert found.top1 == pytest.approx(top1)
    assert found.other_gates_cost == pytest.approx(cost, abs=1e-6)
    assert found.nll_before == pytest.approx(table[1.0, 1.0][0], abs=1e-4)
    decisive = [row for row in table.values() if row[2] >= least - 1e-6]
    if decisive:
        assert nll == pytest.approx(min(row[0] for row in decisive), abs=1e-4)
        assert cost >= least - 1e-6
    else:
        assert cost == pytest.approx(max(row[2] for row in table.values()), abs=1e-6)


def test_no_photo_has_its_own_gates() -> None:
    g = torch.Generator().manual_seed(0)
    for count in (2, 3, 50):
        order = sc._derangement(count, g)
        assert sorted(order.tolist()) == list(range(count))
        assert (order != torch.arange(count)).all()
