"""Region and channel attention: a gate times the features (Sec. 3.2, Eq. 5-7, and SENet)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

REGION_REDUCTION = 7
"""r of Eq. 6."""
CHANNEL_REDUCTION = 16
"""SENet's r (Hu et al., 2018)."""


class _Gate(nn.Module):
    """Squeeze, FC, ReLU, FC, outer activation: one weight per region or channel, n of them.

    Squeeze and FCs are computed in float32 whatever the precision of the rest, and ``half()`` or
    ``bfloat16()`` on a model leave their weights alone: what tells two photos apart is a hundredth
    of what is squeezed, and folded weights are large and cancel.
    """

    def __init__(self, weights: int, reduction: int, outer: nn.Module) -> None:
        super().__init__()
        self.standard: nn.BatchNorm1d | None = None
        self.reduce = nn.Linear(weights, max(1, weights // reduction))
        self.act = nn.ReLU()
        self.expand = nn.Linear(self.reduce.out_features, weights)
        self.outer = outer

    def squeeze(self, f: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, n), at least float32."""
        raise NotImplementedError

    def spread(self, s: Tensor, f: Tensor) -> Tensor:
        """(B, n) -> what multiplies ``f``."""
        raise NotImplementedError

    def forward(self, f: Tensor) -> Tensor:
        return self.weigh(f).to(f.dtype)

    def weigh(self, f: Tensor) -> Tensor:
        """The gate at the precision in which it is computed."""
        with _as_is(f):
            z = self.squeeze(f)
            if self.standard is not None:
                z = self.standard(z)
            s = self.outer(self.expand(self.act(self.reduce(z))))
        return self.spread(s, f)

    def standardise(self, gain: float = 4.0) -> None:
        """Give the first FC a squeezed vector of mean 0 and deviation 1 over photos, in training.

        What is squeezed varies over photos by a hundredth of its mean: a new gate is a constant.
        A batch norm without affine (per region, per channel) takes the mean off; outer weights that
        are ``gain`` times larger let the gate follow the photo from the start.  :meth:`fold` takes
        both back into Eq. 5 and 6.
        """
        self.standard = nn.BatchNorm1d(self.reduce.in_features, affine=False)
        with torch.no_grad():
            self.expand.weight.mul_(gain)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold the standardisation, a fixed affine map at inference, into the first FC.

        ``W (z - m) / s + b = (W / s) z + (b - (W / s) m)``: the gate is as printed again.
        """
        if self.standard is None:
            return
        mean, variance = self.standard.running_mean, self.standard.running_var
        assert mean is not None
        assert variance is not None
        weight = self.reduce.weight.double() / (variance.double() + self.standard.eps).sqrt()
        self.reduce.bias.sub_(weight @ mean.double())
        self.reduce.weight.copy_(weight)
        self.standard = None

    @torch.no_grad()
    def hold(self) -> None:
        """Make the gate a constant to be learned: one weight per region or channel for all photos.

        The outer FC reads nothing, and only its bias is trained.
        """
        self.expand.weight.zero_()
        self.requires_grad_(False)
        self.expand.bias.requires_grad_(True)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        def keep(t: Tensor) -> Tensor:
            moved = fn(t)
            rounded = t.is_floating_point() and moved.dtype.itemsize < 4
            return t.to(moved.device) if rounded else moved

        super()._apply(keep, recurse)  # type: ignore[no-untyped-call]
        return self


class RegionGate(_Gate):
    """One weight per region: mean over channels, FC HW -> HW/7, ReLU, FC, ReLU (Eq. 5, 6).

    Args:
        height, width: of the feature map; the weights belong to this one size.
        gate: the outer activation, ``"relu"`` as printed or ``"sigmoid"``.

    Shape: (B, C, H, W) -> (B, 1, H, W).
    """

    def __init__(self, height: int, width: int, gate: str = "relu") -> None:
        outer: nn.Module = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[gate]()
        super().__init__(height * width, REGION_REDUCTION, outer)
        if gate == "relu":
            # A sigmoid starts half open.  So does this one: at a bias of zero half of the regions
            # would start shut, and a ReLU that is shut for every photo never opens again.
            nn.init.constant_(self.expand.bias, 0.5)

    def squeeze(self, f: Tensor) -> Tensor:
        return f.mean(1, dtype=_at_least_float32(f)).flatten(1)  # (B, HW), Eq. 5

    def spread(self, s: Tensor, f: Tensor) -> Tensor:
        weights: Tensor = s.unflatten(1, (1, *f.shape[2:]))  # (B, 1, H, W)
        return weights


class ChannelGate(_Gate):
    """One weight per channel: squeeze and excitation (SENet).

    Shape: (B, C, H, W) -> (B, C, 1, 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, CHANNEL_REDUCTION, nn.Sigmoid())

    def squeeze(self, f: Tensor) -> Tensor:
        return f.mean((2, 3), dtype=_at_least_float32(f))  # (B, C)

    def spread(self, s: Tensor, f: Tensor) -> Tensor:
        return s[:, :, None, None]


def _at_least_float32(f: Tensor) -> torch.dtype:
    return torch.promote_types(f.dtype, torch.float32)


def _as_is(f: Tensor) -> torch.autocast | nullcontext[None]:
    """A context without autocast; an empty one, which exporters like best, where there is none."""
    kind = f.device.type
    running = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if running else nullcontext()
