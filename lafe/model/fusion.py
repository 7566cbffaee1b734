"""One attribute, discriminative or confusable, from three stages of features to one map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lafe.branches import STAGES, Switches
from lafe.model.attention import Branch, ChannelGate, RegionGate


class Fusion(nn.Module):
    """``fuse(low, high) = ReLU(BN(W1(high + maxpool(ReLU(W2 low)))))`` (Eq. 4).

    An input that is off is ``None`` and adds nothing.

    Shape: low (B, C_low, 2H, 2W), high (B, C_high, H, W) -> (B, C_high, H, W).
    """

    def __init__(self, low_channels: int, high_channels: int) -> None:
        super().__init__()
        self.lift = nn.Conv2d(low_channels, high_channels, 1, bias=False)  # W2
        self.lift_act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.mix = nn.Conv2d(high_channels, high_channels, 1, bias=False)  # W1
        self.bn = nn.BatchNorm2d(high_channels)
        self.act = nn.ReLU()

    def forward(self, low: Tensor | None, high: Tensor | None) -> Tensor | None:
        parts = [high] if high is not None else []
        if low is not None:
            parts.append(self.lifted(low))
        if not parts:
            return None  # off, not BN(0)
        return self.mixed(sum(parts[1:], parts[0]))

    def lifted(self, low: Tensor) -> Tensor:
        """``maxpool(ReLU(W2 low))``: the lower map at the higher stage's size."""
        return self.pool(self.lift_act(self.lift(low)))

    def mixed(self, total: Tensor) -> Tensor:
        """``ReLU(BN(W1 total))``."""
        return self.act(self.bn(self.mix(total)))


class Sum(nn.Module):
    """Eq. 1 or 2: the maps of the branches that are on, added; ``None`` when none is.

    A module, so that hooks and layer attributions reach ``dis_i`` and ``con_i``.
    """

    def forward(self, *maps: Tensor) -> Tensor | None:
        return sum(maps[1:], maps[0]) if maps else None


class Attribute(nn.Module):
    """``D`` or ``C``: region and channel branches at three stages, summed and fused (Eq. 1-7).

    Args:
        name: ``"dis"`` or ``"con"``, the ending of its branches' names.
        channels, sizes: (C_i, and H_i = W_i) of f_3, f_4, f_5.
        region: with the region branches (Table 4 takes them away).
        fusion: with the fusion of stages; without, only stage 5 counts.

    Shape: f_3, f_4, f_5 -> (B, C_5, H_5, W_5), or ``None`` when every branch is off.
    """

    def __init__(
        self,
        name: str,
        channels: Sequence[int],
        sizes: Sequence[int],
        *,
        region: bool = True,
        fusion: bool = True,
        region_gate: str = "relu",
    ) -> None:
        super().__init__()
        self.name = name
        stages = {s: i for i, s in enumerate(STAGES) if fusion or s == STAGES[-1]}
        self.stages = tuple(stages)
        self.region = nn.ModuleDict(
            {
                str(s): Branch(RegionGate(sizes[i], sizes[i], region_gate))
                for s, i in stages.items()
                if region
            }
        )
        self.channel = nn.ModuleDict(
            {str(s): Branch(ChannelGate(channels[i])) for s, i in stages.items()}
        )
        self.sums = nn.ModuleDict({str(s): Sum() for s in stages})
        self.fusions = nn.ModuleDict(
            {str(s): Fusion(channels[i - 1], channels[i]) for s, i in stages.items() if i > 0}
            if fusion
            else {}
        )

    def branch(self, stage: int, kind: str) -> Branch | None:
        """The branch of kind ``"r"`` or ``"c"`` at a stage, or ``None`` where there is none."""
        branches = dict((self.region if kind == "r" else self.channel).items())
        return branches.get(str(stage))  # type: ignore[return-value]

    def forward(self, features: Sequence[Tensor], switches: Switches) -> Tensor | None:
        sums = []
        for stage in self.stages:
            f = features[STAGES.index(stage)]
            on = [self.branch(stage, k) for k in "rc" if switches[stage, f"{k}_{self.name}"]]
            maps = (branch(f) for branch in on if branch is not None)
            sums.append(self.sums[str(stage)](*maps))
        return self.fuse(sums)

    def fuse(self, sums: Sequence[Tensor | None]) -> Tensor | None:
        """The stages' sums, low to high, to one map (Eq. 4); a sum that is off is ``None``."""
        fused = None
        for stage, here in zip(self.stages, sums, strict=True):
            first = str(stage) not in self.fusions
            fused = here if first else self.fusions[str(stage)](fused, here)
        return fused
