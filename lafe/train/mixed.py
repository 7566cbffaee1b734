"""A batch in which every photo has a setting of the switches of its own, for training.

Batch norm sees other statistics under other settings.  With one setting a step, its running
statistics follow the last few draws; with many settings in a batch they are those of the mixture,
in training as at inference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lafe.branches import BRANCHES, STAGES, Switches
from lafe.model.fusion import Attribute, Fusion


def mask_of(settings: Sequence[Switches]) -> Tensor:
    """One setting per photo as (B, 3, 4) bool, by stage and branch."""
    return torch.tensor([[[s[stage, b] for b in BRANCHES] for stage in STAGES] for s in settings])


def mixed_attribute(attribute: Attribute, features: Sequence[Tensor], mask: Tensor) -> Tensor:
    """``D`` or ``C`` where each photo has its own branches on; zeros where all are off.

    In eval mode each row equals ``attribute(features, switches)`` of its photo alone.

    Shape: f_3, f_4, f_5 and mask (B, 3, 4) -> (B, C_5, H_5, W_5).
    """
    fused: Tensor | None = None
    alive = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    for stage in attribute.stages:
        f = features[STAGES.index(stage)]
        here = mask[:, STAGES.index(stage)]
        gates = []
        for kind in "rc":
            branch = attribute.branch(stage, kind)
            if branch is not None:
                on = here[:, BRANCHES.index(f"{kind}_{attribute.name}")]
                gates.append(branch.gate(f) * on[:, None, None, None])
                alive = alive | on
        total = sum(gates[1:], gates[0]) * f  # the same as the sum of the maps
        if str(stage) in attribute.fusions:
            assert fused is not None
            total = _fuse_rows(attribute.fusions[str(stage)], fused, total, alive)  # type: ignore[arg-type]
        fused = total
    assert fused is not None
    return fused


def _fuse_rows(fusion: Fusion, low: Tensor, high: Tensor, alive: Tensor) -> Tensor:
    """Fuse the photos that have anything on: the others' zeros stay out of the batch norm."""
    if alive.all():
        return fusion(low, high)  # type: ignore[return-value]
    out = torch.zeros_like(high)
    if alive.any():
        fused = fusion(low[alive], high[alive])  # indexing keeps channels_last, index_select not
        out = out.to(fused.dtype)  # type: ignore[union-attr]
        out[alive] = fused  # type: ignore[assignment]
    return out
