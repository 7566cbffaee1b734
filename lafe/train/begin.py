"""The start of D and C as stage 5 gives them, where a random fusion would mix its channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

import torch

from lafe.branches import STAGES
from lafe.model.fusion import Fusion, Maps
from lafe.model.lafe import LAFE

LIFT = 0.1
"""Factor on W2 of stage 5: stages 3 and 4 begin as a whisper, and not as noise."""


@torch.no_grad()
def begin_as_stage5(
    model: LAFE, sides: Collection[str], gain: float, features: Iterable[Maps]
) -> None:
    """Let D or C begin as ``gain`` times ``dis_5`` or ``con_5``: f_5, gated by the photo.

    A random W1 mixes all channels of f_5, so that D and C mean nothing to a classifier that knows
    f_5; few photos do not teach it to undo that.  Here W1 of the last fusion is the identity, W2
    small, and the batch norm, whose mean and deviation are those of ``dis_5`` over a batch, gives
    back both (gamma the deviation, beta the mean, times ``gain``).

    Args:
        model: with branches and fusions, in training mode.
        sides: ``"dis"`` for D, ``"con"`` for C.
        gain: of D and C against ``dis_5`` and ``con_5``.
        features: f_3, f_4, f_5 of training photos, in batches.
    """
    last = STAGES[-1]
    sums: dict[str, list[torch.Tensor]] = {side: [] for side in sides}
    for maps in features:
        f5 = maps[-1].float()
        gates = model.gates([m.float() for m in maps])
        for side, found in sums.items():
            own = [g for b, g in gates.items() if b.side == side and b.stage == last]
            m = torch.stack([g * f5 for g in own]).sum(0)
            found.append(torch.stack([m.mean((0, 2, 3)), m.square().mean((0, 2, 3))]))
    for side, found in sums.items():
        mean, square = torch.stack(found).mean(0)
        fusion = cast(Fusion, model.sides[side].fusions[str(last)])
        fusion.mix.weight.copy_(torch.eye(len(mean))[:, :, None, None])
        fusion.lift.weight.mul_(LIFT)
        fusion.bn.weight.copy_(gain * (square - mean**2).clamp(min=0).sqrt())
        fusion.bn.bias.copy_(gain * mean)
