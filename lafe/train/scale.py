"""The last step of a training: how much of D and C the prediction takes, by held-out photos.

The counterfactual loss asks for an effect and sets no bound to it: D and C come out too large.  Two
factors mend that.  ReLU is homogeneous, so a factor on gamma and beta of the last batch norm scales
the map itself, and the model stays as printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lafe.branches import STAGES
from lafe.model.fusion import Fusion
from lafe.model.lafe import LAFE
from lafe.train.mixed import Gates, rescaled
from lafe.train.objectives import Inputs

FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
LEAST_COST = 0.06
"""The least cost of another photo's gates, in top-1."""
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0)
DRAWS = 3

Batches = Callable[[], Iterable[tuple[Inputs, Tensor]]]
"""Photos (B, 3, S, S) as the model reads them, or their features, and labels (B,); the same each
time."""


@dataclass(frozen=True)
class Scale:
    """The factors that were chosen, and what they gave on the held-out photos.

    Attributes:
        dis, con: factors on D and C.
        nll: negative log-likelihood at the best of five temperatures; nll_before: at factors of 1.
        top1: under the photo's own gates; other_gates_cost: minus that under another photo's,
            each rescaled to the mean of the photo's own, three draws.
    """

    dis: float
    con: float
    nll: float
    nll_before: float
    top1: float
    other_gates_cost: float

    def to_dict(self) -> dict[str, Any]:
        """The scale as a card holds it."""
        return {k: round(v, 4) for k, v in asdict(self).items()}


@dataclass(frozen=True)
class _Pooled:
    """GAP of f_5, D and C of N photos, and of D and C under other photos' gates, a draw each."""

    labels: Tensor
    f5: Tensor
    D: Tensor
    C: Tensor
    others: tuple[tuple[Tensor, Tensor], ...]


def fit_scale(model: LAFE, batches: Batches) -> Scale:
    """Choose the factors on held-out photos; scales nothing, see :func:`apply_scale`.

    The lowest negative log-likelihood among those factors at which another photo's gates cost at
    least six points; where there are none, the factors at which they cost most.

    Args:
        model: in eval mode, with branches and fusions.
        batches: of the held-out photos; called twice.
    """
    pooled = _pool(model, batches)
    W, b = model.classifier.weight.detach(), model.classifier.bias.detach()

    def measure(dis: float, con: float) -> Scale:
        own = _logits(pooled.f5 + dis * pooled.D - con * pooled.C, W, b)
        top1 = _top1(own, pooled.labels)
        other = [
            _top1(_logits(pooled.f5 + dis * D - con * C, W, b), pooled.labels)
            for D, C in pooled.others
        ]
        cost = top1 - sum(other) / len(other)
        return Scale(dis, con, _nll(own, pooled.labels), before, top1, cost)

    before = _nll(_logits(pooled.f5 + pooled.D - pooled.C, W, b), pooled.labels)
    found = [measure(dis, con) for dis, con in itertools.product(FACTORS, FACTORS)]
    costly = [s for s in found if s.other_gates_cost >= LEAST_COST]
    if costly:
        return min(costly, key=lambda s: s.nll)
    return max(found, key=lambda s: s.other_gates_cost)


@torch.no_grad()
def apply_scale(model: LAFE, scale: Scale) -> None:
    """Scale D and C of a model, in its last batch norms."""
    for side, factor in {"dis": scale.dis, "con": scale.con}.items():
        last = cast(Fusion, model.sides[side].fusions[str(STAGES[-1])])
        last.bn.weight.mul_(factor)
        last.bn.bias.mul_(factor)


@torch.no_grad()
def _pool(model: LAFE, batches: Batches) -> _Pooled:
    """Two passes: other photos' gates are known after the first."""
    labels, gates = [], []
    for _, features, y in _features(model, batches, "Held-out photos: gates"):
        labels.append(y)
        gates.append(model.gates(features))
    every = {branch: torch.cat([g[branch] for g in gates]) for branch in model.branches}
    count = sum(map(len, labels))
    g = torch.Generator().manual_seed(0)
    # Over all photos: in label order the next one is mostly of the same class.
    orders = [_derangement(count, g) for _ in range(DRAWS)]
    f5: list[Tensor] = []
    own: list[tuple[Tensor, Tensor]] = []
    others: list[list[tuple[Tensor, Tensor]]] = [[] for _ in orders]
    for start, features, y in _features(model, batches, "Held-out photos: maps"):
        f5.append(features[-1].mean((2, 3)))
        rows = slice(start, start + len(y))
        learned = {branch: gate[rows] for branch, gate in every.items()}
        own.append(_gaps(model, features, learned))
        for draw, order in zip(others, orders, strict=True):
            theirs = {b: rescaled(gate[order[rows]], learned[b]) for b, gate in every.items()}
            draw.append(_gaps(model, features, theirs))
    return _Pooled(torch.cat(labels), torch.cat(f5), *_joined(own), tuple(map(_joined, others)))


def _joined(pooled: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    D, C = (torch.cat(parts) for parts in zip(*pooled, strict=True))
    return D, C


def _gaps(model: LAFE, features: tuple[Tensor, ...], gates: Gates) -> tuple[Tensor, Tensor]:
    """GAP of D and C under gates, (B, C_5) each."""
    D, C = model.attributes(features, gates=gates)
    assert D is not None
    assert C is not None
    return D.mean((2, 3)), C.mean((2, 3))


def _features(
    model: LAFE, batches: Batches, about: str
) -> Iterator[tuple[int, tuple[Tensor, ...], Tensor]]:
    """The first row, the features and the labels of every batch."""
    device, start = model.classifier.weight.device, 0
    for x, y in tqdm(batches(), desc=about):
        if isinstance(x, tuple):
            features = tuple(f.to(device).float() for f in x)
        else:
            x = x.to(device, memory_format=torch.channels_last)
            features = model.backbone(x)
        yield start, features, y.to(device)
        start += len(y)


def _derangement(count: int, g: torch.Generator) -> Tensor:
    """A random order in which no photo has its own gates: (N,)."""
    order = torch.randperm(count, generator=g)
    found = torch.empty_like(order)
    found[order] = order.roll(1)
    return found


def _logits(pooled: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return pooled @ W.T + b


def _top1(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())


def _nll(logits: Tensor, labels: Tensor) -> float:
    """The loss at the best of five temperatures: what people see is calibrated."""
    return min(float(F.cross_entropy(logits / t, labels)) for t in TEMPERATURES)
