"""Batches of mixed settings, with other photos' gates and statistics of their own.

Every photo has a setting of its own.  Batch norm sees other statistics under other settings: with
one setting a step, its running statistics follow the last few draws; with many settings in a batch
they are those of the mixture, in training as at inference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lafe.branches import STAGES, Branch, Switches

Gates = Mapping[Branch, Tensor]
"""The gates of a batch, as :meth:`lafe.LAFE.gates` gives them."""


def indices(settings: Sequence[Switches]) -> Tensor:
    """One setting per photo as (B,) int64, as a model takes it."""
    return torch.tensor([s.index for s in settings])


def swapped(gates: Gates, order: Tensor, stages: Sequence[int] = STAGES) -> Gates:
    """The gates of other photos of the batch, each scaled to the mean of the photo's own.

    Scale alone then does not count: only which places and channels a gate prefers.

    Args:
        order: (B,) whose gates each photo gets.
        stages: where gates are swapped.
    """
    return {
        branch: rescaled(gate[order], gate) if branch.stage in stages else gate
        for branch, gate in gates.items()
    }


def rescaled(gate: Tensor, own: Tensor) -> Tensor:
    """A gate (B, ...) scaled, photo by photo, to the mean of another."""
    means = [g.flatten(1).mean(1)[:, None, None, None] for g in (own, gate)]
    return gate * (means[0] / means[1].clamp(min=1e-4))


@contextmanager
def frozen_statistics(*modules: nn.Module) -> Iterator[None]:
    """Let batch norms use the batch's statistics inside, and remember nothing of them."""
    norms = [
        m
        for module in modules
        for m in module.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats
    ]
    kept = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        for m, momentum in zip(norms, kept, strict=True):
            m.momentum = momentum
