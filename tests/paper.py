"""The equations once more, written from the paper as index sums; shares no code with the package.

Weights are a state dict.  A map that is off is zero; so is what fuses maps that are all off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
EPS = 1e-5  # batch norm's, PyTorch's default


def relu(x: Tensor) -> Tensor:
    return x * (x > 0)


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def under(weights: Weights, prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}


def fc(w: Weights, name: str, x: Tensor) -> Tensor:
    return torch.einsum("oi,bi->bo", w[f"{name}.weight"], x) + w[f"{name}.bias"]


def region_gate(w: Weights, f: Tensor, outer: str = "relu") -> Tensor:
    """Eq. 5 and 6: (B, H, W)."""
    b, c, height, width = f.shape
    z = torch.einsum("bchw->bhw", f) / c
    s = fc(w, "expand", relu(fc(w, "reduce", z.reshape(b, height * width))))
    return (relu(s) if outer == "relu" else sigmoid(s)).reshape(b, height, width)


def channel_gate(w: Weights, f: Tensor) -> Tensor:
    """Squeeze and excitation: (B, C)."""
    z = torch.einsum("bchw->bc", f) / (f.shape[2] * f.shape[3])
    return sigmoid(fc(w, "expand", relu(fc(w, "reduce", z))))


def pooling(x: Tensor) -> Tensor:
    """The largest of every 2 x 2 regions."""
    corners = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners).amax(0)


def fuse(w: Weights, low: Tensor, high: Tensor) -> Tensor:
    """Eq. 4, with the running statistics of the batch norm."""
    lifted = relu(torch.einsum("oc,bchw->bohw", w["lift.weight"][:, :, 0, 0], low))
    u = torch.einsum("oc,bchw->bohw", w["mix.weight"][:, :, 0, 0], high + pooling(lifted))
    per_channel = (None, slice(None), None, None)
    mean, var = w["bn.running_mean"][per_channel], w["bn.running_var"][per_channel]
    normed = (u - mean) / torch.sqrt(var + EPS)
    return relu(normed * w["bn.weight"][per_channel] + w["bn.bias"][per_channel])


def attribute(
    w: Weights,
    features: Sequence[Tensor],
    on: set[tuple[int, str]],
    name: str,
    *,
    region: bool = True,
    fusion: bool = True,
    outer: str = "relu",
) -> tuple[Tensor, dict[object, Tensor]]:
    """D or C, and every map on the way by (stage, branch) or stage."""
    maps: dict[object, Tensor] = {}
    fused, any_on = torch.zeros_like(features[0]), False
    for stage, f in zip((3, 4, 5), features, strict=True):
        if not fusion and stage != 5:
            continue
        r = c = torch.zeros_like(f)
        if region and (stage, f"r_{name}") in on:
            s = region_gate(under(w, f"region.{stage}.gate."), f, outer)
            r = torch.einsum("bchw,bhw->bchw", f, s)  # Eq. 7
            any_on = True
        if (stage, f"c_{name}") in on:
            s = channel_gate(under(w, f"channel.{stage}.gate."), f)
            c = torch.einsum("bchw,bc->bchw", f, s)
            any_on = True
        here = r + c  # Eq. 1, 2
        maps |= {(stage, f"r_{name}"): r, (stage, f"c_{name}"): c, stage: here}
        if stage == 3 or not fusion:
            fused = here
        elif any_on:
            fused = fuse(under(w, f"fusions.{stage}."), fused, here)
        else:
            fused = torch.zeros_like(f)
    return fused, maps


def logits(w: Weights, F5: Tensor) -> Tensor:
    """Eq. 10, before the softmax."""
    gap = torch.einsum("bchw->bc", F5) / (F5.shape[2] * F5.shape[3])
    return fc(w, "classifier", gap)
