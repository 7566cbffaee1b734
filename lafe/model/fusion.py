"""One attribute, discriminative or confusable, from three stages of features to one map.

Equations 1, 2, 4 and 7 stand here, once.  Who gives gates of its own, a setting for each photo,
maps instead of features, or many settings at once, passes these in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from lafe.branches import EVERY_BRANCH, KINDS, STAGES, Branch, Switches
from lafe.model.attention import ChannelGate, RegionGate

Maps = tuple[Tensor, ...]
"""Maps of one shape that are to be added up; none of them is off."""

Linear = Callable[[nn.Module, Maps], Tensor]
"""A way to give a linear layer a sum of maps."""

Lifted = dict[tuple[str, int], Maps]
"""The maps that the stages below give to a fusion, by side and stage."""

Settings = Switches | Tensor
"""A setting for all photos, or one for each: (B,) int64, its ``Switches.index``."""


def total(maps: Iterable[Tensor]) -> Tensor:
    """The sum of one map or more."""
    return reduce(torch.add, maps)


def of_sum(layer: nn.Module, maps: Maps) -> Tensor:
    """The layer of the sum."""
    result: Tensor = layer(total(maps))
    return result


class Gated(nn.Module):
    """One attention branch: its gate times the features it reads (Eq. 7).

    Shape: f (B, C, H, W), a gate to use instead of the learned one, and on (B,) bool where photos
    differ -> (B, C, H, W).
    """

    gate: RegionGate | ChannelGate

    def __init__(self, gate: RegionGate | ChannelGate) -> None:
        super().__init__()
        self.gate = gate
        self.switch = Switch()

    def forward(self, f: Tensor, gate: Tensor | None = None, on: Tensor | None = None) -> Tensor:
        weights: Tensor = self.switch(self.gate(f) if gate is None else gate.to(f.dtype), on)
        return weights * f


class Switch(nn.Module):
    """The gate, or zeros for the photos whose branch is off.

    A module, so that hooks and layer attributions reach the gate as it is used.
    """

    def forward(self, gate: Tensor, on: Tensor | None) -> Tensor:
        return gate if on is None else gate * on[:, None, None, None]


class Sum(nn.Module):
    """Eq. 1 or 2: the maps of the branches that are on, added; ``None`` when none is.

    A module, so that hooks and layer attributions reach ``dis_i`` and ``con_i``.
    """

    def forward(self, *maps: Tensor) -> Tensor | None:
        return total(maps) if maps else None


class Fusion(nn.Module):
    """``fuse(low, high) = ReLU(BN(W1(high + maxpool(ReLU(W2 low)))))`` (Eq. 4).

    An input is given as the maps that add up to it, and is off where there is none; so is what
    comes out.

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

    def lifted(self, low: Maps, linear: Linear = of_sum) -> Maps:
        """``maxpool(ReLU(W2 low))``: the lower stage in this one's channels and places."""
        # Pooling first: the same maps, and a quarter of the work for the ReLU.
        return (self.lift_act(self.pool(linear(self.lift, low))),) if low else ()

    def forward(
        self, lifted: Maps, high: Maps, linear: Linear = of_sum, alive: Tensor | None = None
    ) -> Maps:
        """``ReLU(BN(W1(high + lifted)))``.

        Args:
            alive: (B,) bool, the photos that have anything on; the others' zeros stay out of the
                batch norm, which would make something of them.
        """
        maps = (*lifted, *high)
        if not maps or (alive is not None and not alive.any()):
            return ()  # off, not BN(0)
        if alive is None or alive.all():
            return (self.act(self.bn(linear(self.mix, maps))),)
        # Indexing keeps channels_last, index_select does not.
        some = self.act(self.bn(linear(self.mix, tuple(m[alive] for m in maps))))
        fused = torch.zeros_like(maps[0], dtype=some.dtype)
        fused[alive] = some
        return (fused,)


class Attribute(nn.Module):
    """``D`` or ``C``: region and channel branches at three stages, summed and fused (Eq. 1-7).

    Args:
        side: ``"dis"`` or ``"con"``.
        channels, sizes: (C_i, and H_i = W_i) of f_3, f_4, f_5.
        region: with the region branches (Table 4 takes them away).
        fusion: with the fusion of stages; without, only stage 5 counts.

    Shape: f_3, f_4, f_5 -> (B, C_5, H_5, W_5), or ``None`` when every branch is off.
    """

    def __init__(
        self,
        side: str,
        channels: Sequence[int],
        sizes: Sequence[int],
        *,
        region: bool = True,
        fusion: bool = True,
        region_gate: str = "relu",
    ) -> None:
        super().__init__()
        self.side = side
        stages = {s: i for i, s in enumerate(STAGES) if fusion or s == STAGES[-1]}
        self.stages = tuple(stages)
        self.region = nn.ModuleDict(
            {
                str(s): Gated(RegionGate(sizes[i], sizes[i], region_gate))
                for s, i in stages.items()
                if region
            }
        )
        self.channel = nn.ModuleDict(
            {str(s): Gated(ChannelGate(channels[i])) for s, i in stages.items()}
        )
        self.sums = nn.ModuleDict({str(s): Sum() for s in stages})
        self.fusions = nn.ModuleDict(
            {str(s): Fusion(channels[i - 1], channels[i]) for s, i in stages.items() if i > 0}
            if fusion
            else {}
        )

    @property
    def branches(self) -> dict[Branch, Gated]:
        """The branches that this side has, in order."""
        own = [branch for branch in EVERY_BRANCH if branch.side == self.side]
        places = {branch: getattr(self, KINDS[branch.kind]) for branch in own}
        return {b: at[str(b.stage)] for b, at in places.items() if str(b.stage) in at}

    def gates(self, features: Sequence[Tensor]) -> dict[Branch, Tensor]:
        """The learned gate of every branch that there is, at least float32."""
        read = {b: features[STAGES.index(b.stage)] for b in self.branches}
        return {b: gated.gate.weigh(read[b]) for b, gated in self.branches.items()}

    def forward(
        self,
        features: Sequence[Tensor],
        switches: Settings,
        gates: Mapping[Branch, Tensor] | None = None,
        lifted: Lifted | None = None,
    ) -> Tensor | None:
        """The attribute under a setting.

        Args:
            features: f_3, f_4, f_5.
            switches: one setting, or one for each photo.
            gates: what multiplies the features; the learned gates by default.
            lifted: what stages give to fusions.  What is there is taken, and the stages below are
                left out; the rest is put there.
        """
        first = max(
            (s for s in self.stages if (self.side, s) in (lifted or {})), default=self.stages[0]
        )
        maps = {}
        for branch, gated in self.branches.items():
            if branch.stage >= first and (isinstance(switches, Tensor) or switches[branch]):
                on = _any_on(switches, [branch]) if isinstance(switches, Tensor) else None
                gate = None if gates is None else gates[branch]
                maps[branch] = gated(features[STAGES.index(branch.stage)], gate, on)
        return self.combine(maps, switches if isinstance(switches, Tensor) else None, lifted)

    def combine(
        self,
        maps: Mapping[Branch, Tensor],
        switches: Tensor | None = None,
        lifted: Lifted | None = None,
    ) -> Tensor | None:
        """The attribute that the maps of the branches that are on add up to (Eq. 1, 2, 4).

        Args:
            switches: the photos' settings, if they differ.
            lifted: as for :meth:`forward`.
        """
        by_stage = [[b for b in self.branches if b.stage == stage] for stage in self.stages]
        sums = (
            self.sums[str(stage)](*(maps[b] for b in here if b in maps))
            for stage, here in zip(self.stages, by_stage, strict=True)
        )
        stages = [[() if s is None else (s,)] for s in sums]
        (fused,) = self._fuse(stages, of_sum, switches, lifted)
        return fused

    def settings(self, maps: Mapping[Branch, Tensor]) -> Iterator[Tensor | None]:
        """The attribute in every setting of these branches, the first one's switch the fastest.

        Where Eq. 4 is linear the settings share the work: a layer meets each map once.
        """
        stages = [[m for b, m in maps.items() if b.stage == stage] for stage in self.stages]
        return self._fuse([_subsets(here) for here in stages], _Shared())

    def _fuse(
        self,
        stages: Sequence[Sequence[Maps]],
        linear: Linear,
        switches: Tensor | None = None,
        lifted: Lifted | None = None,
    ) -> Iterator[Tensor | None]:
        """Every way to take one sum of each stage, the first stage's the fastest (Eq. 4)."""
        ways: Iterable[Maps] = stages[0]
        for stage, here in zip(self.stages[1:], stages[1:], strict=True):
            fusion = cast(Fusion, self.fusions[str(stage)])
            seen = [b for b in self.branches if b.stage <= stage]
            alive = None if switches is None else _any_on(switches, seen)
            given = None if lifted is None else lifted.get((self.side, stage))
            lows = [fusion.lifted(w, linear) for w in ways] if given is None else [given]
            if lifted is not None:
                (lifted[self.side, stage],) = lows
            ways = _fused(fusion, lows, here, linear, alive)
        return (total(way) if way else None for way in ways)


def _fused(
    fusion: Fusion,
    lows: Sequence[Maps],
    highs: Sequence[Maps],
    linear: Linear,
    alive: Tensor | None,
) -> Iterator[Maps]:
    return (fusion(low, high, linear, alive) for high in highs for low in lows)


def _subsets(maps: Sequence[Tensor]) -> list[Maps]:
    """Every subset of the maps: map i is in those whose number has bit i."""
    numbers = range(1 << len(maps))
    return [tuple(m for i, m in enumerate(maps) if number >> i & 1) for number in numbers]


def _any_on(switches: Tensor, branches: Iterable[Branch]) -> Tensor:
    """Photos for which any of these branches is on: (B,) bool."""
    return switches & Switches.only(*branches).index != 0


class _Shared:
    """A linear layer of a sum is the sum of what it makes of each map, which is kept."""

    def __init__(self) -> None:
        self._known: defaultdict[nn.Module, WeakIdKeyDictionary] = defaultdict(WeakIdKeyDictionary)

    def __call__(self, layer: nn.Module, maps: Maps) -> Tensor:
        known = self._known[layer]
        for m in maps:
            if m not in known:
                known[m] = layer(m)
        return total(known[m] for m in maps)
