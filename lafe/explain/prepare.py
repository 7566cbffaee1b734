"""A photo whose features are computed once; every setting of the switches starts from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from lafe.branches import ATTRIBUTES, EVERY_BRANCH, STAGES, Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.explain.controls import Controls
from lafe.model.lafe import LAFE


@dataclass(frozen=True, eq=False)
class Fused:
    """One setting's maps, (1, C_5, H_5, W_5) each; what is off is zeros (Eq. 3, 4).

    ``logits`` (K,) are the bits of ``model(x, switches)[0]``.
    """

    D: Tensor
    C: Tensor
    F5: Tensor
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo's features and gates.  Evaluates settings without a pass through the backbone.

    Equal settings give equal bits, those of ``model(x, switches)``.  The tensors carry no gradient
    and are no inference tensors, so that autograd may use them.  Safe to share between threads.

    Attributes:
        model: in eval mode.
        x: the photo as the model reads it, (1, 3, S, S).
        features: f_3, f_4, f_5, (1, C_i, H_i, W_i) each.
        gates: the learned gate of every branch that the model has.
        controls: what stands in for the learned gates.
    """

    model: LAFE
    x: Tensor
    features: tuple[Tensor, Tensor, Tensor]
    gates: Mapping[tuple[int, str], Tensor]
    controls: Controls = Controls()  # noqa: RUF009  (immutable)

    @property
    def card(self) -> Card:
        """The card of the model; LafeError if it is no checkpoint's."""
        if not isinstance(self.model, Trained):
            raise LafeError("This model has no card: load a checkpoint with lafe.load.")
        return self.model.card

    def under(self, controls: Controls) -> Prepared:
        """The same photo under other controls."""
        return replace(self, controls=controls)

    def feature(self, stage: int) -> Tensor:
        """f_i of one stage, (1, C_i, H_i, W_i)."""
        return self.features[STAGES.index(stage)]

    def gate(self, stage: int, branch: str) -> Tensor:
        """(1, 1, H_i, W_i) of a region branch, (1, C_i, 1, 1) of a channel branch.

        Zeros where the model has no such branch; ValueError for an unknown name.
        """
        Switches.only(branch, stages=(stage,))  # refuses unknown names
        if (stage, branch) in self.gates:
            return self.controls.apply(stage, branch, self.gates[stage, branch])
        f = self.feature(stage)
        return torch.zeros_like(f[:, :1] if branch.startswith("r") else f[..., :1, :1])

    def branch_map(self, stage: int, branch: str) -> Tensor:
        """Gate times features, (1, C_i, H_i, W_i) (Eq. 7)."""
        return self.gate(stage, branch) * self.feature(stage)

    def stage_sums(self, stage: int, switches: Switches) -> tuple[Tensor, Tensor]:
        """``dis_i`` and ``con_i``, (1, C_i, H_i, W_i) each; what is off is zeros (Eq. 1, 2)."""
        dis, con = (self._sum(stage, side, switches) for side in ATTRIBUTES)
        zeros = torch.zeros_like(self.feature(stage))
        return zeros if dis is None else dis, zeros if con is None else con

    @torch.inference_mode(False)
    @torch.no_grad()
    def attribute(self, side: str, switches: Switches) -> Tensor:
        """``D`` (``"dis"``) or ``C`` (``"con"``), (1, C_5, H_5, W_5) (Eq. 1-7); zeros if off.

        It depends on the switches of its own side alone.
        """
        fuses = {"dis": self.model.discriminative, "con": self.model.confusable}[side]
        out = None
        if fuses is not None:
            out = fuses.fuse([self._sum(stage, side, switches) for stage in fuses.stages])
        return torch.zeros_like(self.features[-1]) if out is None else out

    @torch.inference_mode(False)
    @torch.no_grad()
    def final(self, D: Tensor, C: Tensor) -> Fused:
        """What two attributes make of the photo's features (Eq. 3, 10)."""
        F5 = self.features[-1] + D - C
        return Fused(D, C, F5, self.model.classify(F5)[0])

    def fused(self, switches: Switches) -> Fused:
        """``D``, ``C``, ``F_5`` and the logits of a setting."""
        D, C = (self.attribute(side, switches) for side in ATTRIBUTES)
        return self.final(D, C)

    def logits(self, switches: Switches) -> Tensor:
        """Logits (K,) of a setting; for its maps too, see :meth:`fused`."""
        return self.fused(switches).logits

    def _sum(self, stage: int, side: str, switches: Switches) -> Tensor | None:
        on = [b for b in ATTRIBUTES[side] if switches[stage, b] and (stage, b) in self.gates]
        maps = [self.branch_map(stage, branch) for branch in on]
        return sum(maps[1:], maps[0]) if maps else None


# Inference mode is switched off first (that switches gradients on), then gradients: nothing that is
# kept is an inference tensor, whatever the caller runs under.
@torch.inference_mode(False)
@torch.no_grad()
def prepare(
    model: LAFE | Prepared, x: Tensor | None = None, controls: Controls | None = None
) -> Prepared:
    """Compute a photo's features and gates, once.

    Args:
        model: in eval mode; or a prepared photo, which is returned (without ``x``).
        x: a photo, (1, 3, S, S), as ``model.preprocess`` gives it.
        controls: what stands in for learned gates; nothing by default.

    Raises:
        ValueError: a model in training mode, no photo or more than one, a photo of another size.

    Example:
        >>> photo = prepare(model, x)
        >>> photo.logits(Switches.all().without("c_con"))
    """
    if isinstance(model, Prepared):
        if x is not None:
            raise ValueError("This photo is prepared already: leave x out.")
        return model if controls is None else model.under(controls)
    if model.training:
        raise ValueError("The model is in training mode: call model.eval() first.")
    if x is None or x.ndim != 4 or len(x) != 1:
        given = "nothing" if x is None else f"the shape {tuple(x.shape)}"
        raise ValueError(f"One photo is prepared at a time, of shape (1, 3, S, S), not {given}.")
    features = model.features(x)
    gates = {}
    for stage, branch in EVERY_BRANCH:
        side = model.discriminative if branch in ATTRIBUTES["dis"] else model.confusable
        module = side.branch(stage, branch[0]) if side is not None else None
        if module is not None:
            gates[stage, branch] = module.gate(features[STAGES.index(stage)])
    return Prepared(model, x, features, MappingProxyType(gates), controls or Controls())
