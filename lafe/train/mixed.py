"""A batch in which every photo has a setting of the switches of its own, for training.

Batch norm sees other statistics under other settings.  With one setting a step, its running
statistics follow the last few draws; with many settings in a batch they are those of the mixture,
in training as at inference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from lafe.branches import BRANCHES, STAGES, Switches
from lafe.model.fusion import Attribute, Fusion

Gates = Mapping[tuple[int, str], Tensor]
"""The gates of one side by stage and kind: ``[5, "r"]`` is (B, 1, H_5, W_5)."""


def mask_of(settings: Sequence[Switches]) -> Tensor:
    """One setting per photo as (B, 3, 4) bool, by stage and branch."""
    return torch.tensor([[[s[stage, b] for b in BRANCHES] for stage in STAGES] for s in settings])


def gates_of(attribute: Attribute, features: Sequence[Tensor]) -> Gates:
    """The learned gates of a batch, at least float32, of every branch that the model has."""
    branches = {(s, kind): attribute.branch(s, kind) for s in attribute.stages for kind in "rc"}
    return {
        (stage, kind): branch.gate.weigh(features[STAGES.index(stage)])
        for (stage, kind), branch in branches.items()
        if branch is not None
    }


def swapped(gates: Gates, order: Tensor, stages: Sequence[int] = STAGES) -> Gates:
    """The gates of other photos of the batch, each scaled to the mean of the photo's own.

    Scale alone then does not count: only which places and channels a gate prefers.

    Args:
        order: (B,) whose gates each photo gets.
        stages: where gates are swapped.
    """

    return {
        key: rescaled(gate[order], gate) if key[0] in stages else gate
        for key, gate in gates.items()
    }


def rescaled(gate: Tensor, own: Tensor) -> Tensor:
    """A gate (B, ...) scaled, photo by photo, to the mean of another."""
    means = [g.flatten(1).mean(1)[:, None, None, None] for g in (own, gate)]
    return gate * (means[0] / means[1].clamp(min=1e-4))


def mixed_attribute(
    attribute: Attribute,
    features: Sequence[Tensor],
    mask: Tensor,
    gates: Gates | None = None,
    *,
    lifted: Mapping[int, Tensor] | None = None,
    first: int = STAGES[0],
) -> tuple[Tensor, dict[int, Tensor]]:
    """``D`` or ``C`` where each photo has its own branches on; zeros where all are off.

    In eval mode each row equals ``attribute(features, switches)`` of its photo alone.

    Args:
        features: f_3, f_4, f_5.
        mask: (B, 3, 4) bool, see :func:`mask_of`.
        gates: what multiplies the features; the learned gates unless given.
        lifted, first: what an earlier pass under the same mask returned, and the first stage at
            which this one differs: what lies below is not computed again.

    Returns:
        The map (B, C_5, H_5, W_5), and by stage what the stages below gave to its fusion.
    """
    gates = gates_of(attribute, features) if gates is None else gates
    given, lifted = lifted, {}
    fused: Tensor | None = None
    alive = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    for stage in attribute.stages:
        f = features[STAGES.index(stage)]
        here = mask[:, STAGES.index(stage)]
        parts = []
        for kind in "rc":
            if (stage, kind) in gates:
                on = here[:, BRANCHES.index(f"{kind}_{attribute.name}")]
                parts.append(gates[stage, kind] * on[:, None, None, None])
                alive = alive | on
        if stage < first and given is not None:
            continue
        total = sum(parts[1:], parts[0]).to(f.dtype) * f  # the same as the sum of the maps
        if str(stage) in attribute.fusions:
            fusion = cast(Fusion, attribute.fusions[str(stage)])
            if fused is None:
                assert given is not None
                lifted[stage] = given[stage]
            else:
                lifted[stage] = _of_rows(fusion.lifted, fused, alive, total)
            total = _of_rows(fusion.mixed, total + lifted[stage], alive, total)
        fused = total
    assert fused is not None
    return fused, lifted


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


def _of_rows(
    function: Callable[[Tensor], Tensor], maps: Tensor, alive: Tensor, like: Tensor
) -> Tensor:
    """A part of a fusion, of the photos that have anything on; zeros like ``like`` for the others.

    The zeros stay out of the batch norm.
    """
    if alive.all():
        return function(maps)
    if not alive.any():
        return torch.zeros_like(like)
    some = function(maps[alive])  # indexing keeps channels_last, index_select not
    out = torch.zeros_like(like, dtype=some.dtype)
    out[alive] = some
    return out
