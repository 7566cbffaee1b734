"""Region and channel attention: a gate times the features (Sec. 3.2, Eq. 5-7, and SENet)."""

from __future__ import annotations

from torch import Tensor, nn

REGION_REDUCTION = 7
"""r of Eq. 6."""
CHANNEL_REDUCTION = 16
"""SENet's r (Hu et al., 2018)."""


class RegionGate(nn.Module):
    """One weight per region: mean over channels, FC HW -> HW/7, ReLU, FC, ReLU (Eq. 5, 6).

    Args:
        height, width: of the feature map; the weights belong to this one size.
        gate: the outer activation, ``"relu"`` as printed or ``"sigmoid"``.

    Shape: (B, C, H, W) -> (B, 1, H, W).
    """

    def __init__(self, height: int, width: int, gate: str = "relu") -> None:
        super().__init__()
        regions = height * width
        self.reduce = nn.Linear(regions, max(1, regions // REGION_REDUCTION))
        self.act = nn.ReLU()
        self.expand = nn.Linear(self.reduce.out_features, regions)
        self.outer: nn.Module = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[gate]()
        if gate == "relu":
            # A sigmoid starts half open.  So does this one: at a bias of zero half of the regions
            # would start shut, and a ReLU that is shut for every photo never opens again.
            nn.init.constant_(self.expand.bias, 0.5)

    def forward(self, f: Tensor) -> Tensor:
        z = f.mean(1).flatten(1)  # (B, HW), Eq. 5
        s = self.outer(self.expand(self.act(self.reduce(z))))  # (B, HW), Eq. 6
        return s.unflatten(1, (1, *f.shape[2:]))  # (B, 1, H, W)


class ChannelGate(nn.Module):
    """One weight per channel: squeeze and excitation (SENet).

    Shape: (B, C, H, W) -> (B, C, 1, 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, max(1, channels // CHANNEL_REDUCTION))
        self.act = nn.ReLU()
        self.expand = nn.Linear(self.reduce.out_features, channels)
        self.outer = nn.Sigmoid()

    def forward(self, f: Tensor) -> Tensor:
        z = f.mean((2, 3))  # (B, C)
        s = self.outer(self.expand(self.act(self.reduce(z))))  # (B, C)
        return s[:, :, None, None]


class Branch(nn.Module):
    """One attention branch: its gate times the features it reads (Eq. 7).

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, f: Tensor) -> Tensor:
        return self.gate(f) * f
