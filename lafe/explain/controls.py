"""Controls: does *where* a branch looks matter, and does it depend on the photo?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch, Key, Switches
from lafe.errors import LafeError


@dataclass(frozen=True)
class Controls:
    """Stand-ins for the gates of some branches; the others keep theirs.  Immutable and hashable.

    Controls say what a branch is; :class:`lafe.Switches` say whether it is on.

    Attributes:
        uniform: the branches whose gates are replaced by their mean over places or channels.
        shuffled: the branches whose gates are shuffled, over regions or over channels.
        mean: those that get the mean gate over training photos, which a checkpoint holds.
        other_photo: those that get another photo's gate, with this one's mean; see
            :meth:`lafe.explain.prepare.Prepared.under`.
        seed: of the shuffles; every branch has one of its own.

    Raises:
        ValueError: a branch with two stand-ins.

    Example:
        >>> Controls(uniform=Switches.only("r_dis"), shuffled=Switches.only("c_con"))[5, "r_dis"]
        'uniform'
    """

    uniform: Switches = Switches.none()  # noqa: RUF009  (immutable)
    shuffled: Switches = Switches.none()  # noqa: RUF009
    mean: Switches = Switches.none()  # noqa: RUF009
    other_photo: Switches = Switches.none()  # noqa: RUF009
    seed: int = 0

    def __post_init__(self) -> None:
        for (one, a), (other, b) in combinations(self.modes.items(), 2):
            if len(a & b):
                raise ValueError(f"A branch is either {one} or {other}, not both: {a & b}.")

    @property
    def modes(self) -> dict[str, Switches]:
        """The branches with each kind of stand-in."""
        return {
            "uniform": self.uniform,
            "shuffled": self.shuffled,
            "mean": self.mean,
            "other photo": self.other_photo,
        }

    def __getitem__(self, key: Key) -> str:
        """``"learned"``, ``"uniform"``, ``"shuffled"``, ``"mean"`` or ``"other photo"``."""
        return next((mode for mode, branches in self.modes.items() if branches[key]), "learned")

    def with_mode(self, branches: Switches, mode: str) -> Controls:
        """The same with some branches ``"learned"`` or in one of ``modes``.

        The seed goes with the last shuffle.
        """
        masks = {each: had.index & ~branches.index for each, had in self.modes.items()}
        if mode != "learned":
            masks[mode] |= branches.index
        found = {each.replace(" ", "_"): Switches(mask) for each, mask in masks.items()}
        return Controls(**found, seed=self.seed if masks["shuffled"] else 0)

    def in_force(self, switches: Switches) -> dict[str, Switches]:
        """The branches of a setting that have a stand-in, by its mode; one that is off has none."""
        found = {mode: branches & switches for mode, branches in self.modes.items()}
        return {mode: on for mode, on in found.items() if len(on)}

    def apply(
        self, branch: Branch, gate: Tensor, mean: Tensor | None = None, other: Tensor | None = None
    ) -> Tensor:
        """The gate, or what stands in for it.

        Args:
            branch: whose gate it is.
            gate: the learned one.
            mean: the mean gate over training photos.
            other: another photo's gate.

        Shape: (1, 1, H, W) or (1, C, 1, 1), kept.

        Raises:
            LafeError: a stand-in that was not given.
        """
        mode = self[branch]
        if mode == "uniform":
            return uniform(gate)
        if mode == "shuffled":
            random = torch.Generator().manual_seed(len(EVERY_BRANCH) * self.seed + branch.bit)
            order = torch.randperm(gate.numel(), generator=random).to(gate.device)
            return gate.flatten()[order].view_as(gate)
        if mode == "mean":
            if mean is None:
                raise LafeError("This model has no mean gates: run `lafe evaluate` on it.")
            return mean.to(gate)
        if mode == "other photo":
            if other is None:
                raise LafeError("Another photo's gates are asked for: give it as `other`.")
            return rescaled(other, gate)
        return gate


def uniform(gates: Tensor) -> Tensor:
    """Each photo's gate, (N, 1, H, W) or (N, C, 1, 1), flattened to its mean."""
    return level(gates).expand_as(gates)


def rescaled(others: Tensor, own: Tensor) -> Tensor:
    """Other photos' gates with the means of these; one that is shut becomes uniform.

    Shape: (N, 1, H, W) or (N, C, 1, 1) each, kept.
    """
    wanted, has = level(own), level(others)
    return torch.where(has > 0, others * (wanted / has), wanted.expand_as(own))


def level(gates: Tensor) -> Tensor:
    """Each photo's mean over places or channels, (N, 1, 1, 1)."""
    return gates.mean((1, 2, 3), keepdim=True)
