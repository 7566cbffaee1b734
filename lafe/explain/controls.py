"""Controls: does *where* a branch looks matter, or only how much it adds?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch, Key, Switches


@dataclass(frozen=True)
class Controls:
    """Which branches keep their gates and which get a stand-in.  Immutable and hashable.

    A stand-in has the mean of the learned gate, but nothing of where it looks.  Controls say what
    a branch is; :class:`lafe.Switches` say whether it is on.

    Attributes:
        uniform: the branches whose gates are replaced by their mean.
        shuffled: the branches whose gates are shuffled, over regions or over channels.
        seed: of the shuffles; every branch has one of its own.

    Raises:
        ValueError: a branch that is both uniform and shuffled.

    Example:
        >>> Controls(uniform=Switches.only("r_dis"), shuffled=Switches.only("c_con"))[5, "r_dis"]
        'uniform'
    """

    uniform: Switches = Switches.none()  # noqa: RUF009  (immutable)
    shuffled: Switches = Switches.none()  # noqa: RUF009
    seed: int = 0

    def __post_init__(self) -> None:
        both = self.uniform & self.shuffled
        if len(both):
            raise ValueError(f"A branch is either uniform or shuffled, not both: {both}.")

    def __getitem__(self, key: Key) -> str:
        """``"learned"``, ``"uniform"`` or ``"shuffled"``."""
        if self.uniform[key]:
            return "uniform"
        return "shuffled" if self.shuffled[key] else "learned"

    def apply(self, branch: Branch, gate: Tensor) -> Tensor:
        """The gate, or what stands in for it.

        Shape: (1, 1, H, W) or (1, C, 1, 1), kept.
        """
        mode = self[branch]
        if mode == "uniform":
            return gate.mean().expand_as(gate)
        if mode == "shuffled":
            random = torch.Generator().manual_seed(len(EVERY_BRANCH) * self.seed + branch.bit)
            order = torch.randperm(gate.numel(), generator=random).to(gate.device)
            return gate.flatten()[order].view_as(gate)
        return gate
