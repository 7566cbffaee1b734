"""Maps of evidence for a class that add up to its logit: nothing behind the fusion is non-linear.

``logit = b + w . GAP(f_5) + w . GAP(D) - w . GAP(C)`` (Eq. 3, 10) is a sum over positions, so each
position's share is exact.  One branch's share is not: its way to ``D`` or ``C`` leads through
batch norms and ReLUs, so :func:`branch_evidence` attributes it, and says how much it misses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from lafe import markup
from lafe.branches import FULL, Branch, Switches
from lafe.explain.prepare import Prepared, refuse_training

Versus = int | str | Sequence[int] | None
"""The rivals of a class: another class, several, the ``"mean"`` of all, or none."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Each position's share of a logit; ``backbone + dis + con``, summed, plus ``bias`` is it.

    Attributes:
        backbone, dis, con: (H_5, W_5) float32, signed as they enter: ``con`` is that of ``-C``.
        bias: of the classifier; no position's.
        logit: what the model gives (1e-4, float32).
    """

    backbone: Tensor
    dis: Tensor
    con: Tensor
    bias: float
    logit: float

    @property
    def total(self) -> Tensor:
        """All but ``bias``: each position's share of the logit, (H_5, W_5)."""
        return self.backbone + self.dis + self.con

    @property
    def steps(self) -> dict[str, float]:
        """The four terms of the logit in the order of the formula: a waterfall's steps."""
        maps = {"backbone": self.backbone, "dis": self.dis, "con": self.con}
        return {"bias": self.bias} | {name: float(m.sum()) for name, m in maps.items()}

    def _repr_html_(self) -> str:
        """The terms of the logit in a notebook, with the range of each map."""
        maps = {"backbone": self.backbone, "dis": self.dis, "con": self.con}
        ranges = {name: (float(m.min()), float(m.max())) for name, m in maps.items()}
        rows = [(name, value, *ranges.get(name, ("", ""))) for name, value in self.steps.items()]
        head = ("term", "sum", "lowest place", "highest place")
        return markup.table(f"Evidence: a logit of {self.logit:.4g}", head, rows)


@dataclass(frozen=True, eq=False)
class BranchEvidence:
    """Each branch's share of a logit, attributed: ``change = sum of maps + constant + gap``.

    Attributes:
        maps: (H_i, W_i) float32 of every branch that is on, signed as it enters (see
            :class:`Evidence`).
        constant: what the fusions give to maps of zeros, their batch norms' share; no branch's.
        change: the logit, minus that of the plain backbone.
        gap: what the method misses of the change.  More steps make it smaller.
    """

    maps: Mapping[Branch, Tensor]
    constant: float
    change: float
    gap: float

    def _repr_html_(self) -> str:
        """The branches' shares in a notebook."""
        rows: list[tuple[object, float]] = [(b, float(m.sum())) for b, m in self.maps.items()]
        rows += [("constant", self.constant), ("gap", self.gap)]
        return markup.table(f"A change of the logit of {self.change:.4g}", ("part", "sum"), rows)


# Gradients, then inference mode: see lafe.prepare.
@torch.inference_mode(False)
@torch.no_grad()
def evidence(
    photo: Prepared,
    *,
    target: int | None = None,
    switches: Switches = FULL,
    versus: Versus = None,
    strength: float = 1.0,
) -> Evidence:
    """Exact maps of the evidence for a class, or for one class rather than another.

    Args:
        photo: as :func:`lafe.prepare` gives it.
        target: index of the class; the predicted one by default.
        switches: the setting; all on by default.
        versus: the class to subtract (why A and not B), several of which the mean is subtracted, or
            ``"mean"`` for the mean over all classes: what is common to all says nothing about one.
        strength: how much of it is subtracted.  With the look-alikes of :func:`lookalikes` this is
            what Finer-CAM (Zhang et al., CVPR 2025) computes at the last layer, without its ReLU.

    Raises:
        ValueError: no such class.
        LafeError: the model is in training mode by now.

    Example:
        >>> photo = lafe.prepare(model, picture)
        >>> e = evidence(photo, target=7)
        >>> (e.backbone + e.dis + e.con).sum() + e.bias  # the logit of class 7
    """
    fused = photo.fused(switches)
    direction = class_direction(fused.logits, target, versus, strength)
    classifier = photo.model.classifier
    w = direction @ classifier.weight.float()  # (C_5,)

    def share(features: Tensor) -> Tensor:
        return torch.einsum("c,chw->hw", w, features[0].float()) / features[0, 0].numel()

    return Evidence(
        backbone=share(photo.features[-1]),
        dis=share(fused.D),
        con=-share(fused.C),
        bias=float(direction @ classifier.bias.float()),
        logit=float(direction @ fused.logits.float()),
    )


def branch_evidence(
    photo: Prepared,
    *,
    target: int | None = None,
    switches: Switches = FULL,
    versus: Versus = None,
    strength: float = 1.0,
    steps: int = 32,
) -> BranchEvidence:
    """Single branches' shares of a logit: integrated gradients over the maps of all that are on.

    The path leads from zero maps to the branches' own (Gauss-Legendre, ``steps`` points); a map's
    attribution is summed over its channels.  At zero the fusions still add their batch norms'
    shifts, which a branch that is *off* would not: that is ``constant``.

    Source: Sundararajan et al., ICML 2017, as in Captum.

    Args and raises as :func:`evidence`.
    """
    from captum.attr import IntegratedGradients

    refuse_training(photo.model)
    on = tuple(branch for branch in switches if branch in photo.gates)
    with torch.inference_mode(False), torch.no_grad():
        logits, plain = photo.logits(switches), photo.logits(Switches.none())
        direction = class_direction(logits, target, versus, strength)
        change = float(direction @ (logits.float() - plain.float()))
        maps = tuple(photo.branch_map(branch) for branch in on)
        w = direction @ photo.model.classifier.weight.float()
    if not on:
        return BranchEvidence(MappingProxyType({}), 0.0, change, change)

    def score(*maps: Tensor) -> Tensor:
        given = dict(zip(on, maps, strict=True))
        D, C = (side.combine(given) for side in photo.model.sides.values())
        return (_gap(D) - _gap(C)).float() @ w

    with torch.inference_mode(False), torch.enable_grad():
        attributions = IntegratedGradients(score).attribute(
            maps, n_steps=steps, internal_batch_size=1
        )
    with torch.inference_mode(False), torch.no_grad():
        constant = float(score(*(torch.zeros_like(m) for m in maps)))
    found = {b: a.detach().float().sum((0, 1)) for b, a in zip(on, attributions, strict=True)}
    total = sum(float(m.sum()) for m in found.values())
    return BranchEvidence(MappingProxyType(found), constant, change, change - constant - total)


def _gap(m: Tensor | None) -> Tensor:
    """(B, C_5); 0 where all is off."""
    return torch.zeros(()) if m is None else m.mean((2, 3))


def class_direction(
    logits: Tensor, target: int | None, versus: Versus, strength: float = 1.0
) -> Tensor:
    """The combination of logits (K,) that is asked for, as weights (K,)."""
    classes = len(logits)

    def one_hot(index: int) -> Tensor:
        if not 0 <= index < classes:
            raise ValueError(f"There is no class {index}: this model knows 0 to {classes - 1}.")
        weights = torch.zeros(classes, device=logits.device)
        weights[index] = 1
        return weights

    weights = one_hot(int(logits.argmax()) if target is None else int(target))
    if versus is None:
        return weights
    if isinstance(versus, str):
        if versus != "mean":
            raise ValueError(f"Evidence is against classes or 'mean', not {versus!r}.")
        return weights - strength / classes
    rivals = [versus] if isinstance(versus, int) else list(versus)
    if not rivals:
        raise ValueError("Evidence is against one class or more: none is given.")
    return weights - strength * torch.stack([one_hot(int(i)) for i in rivals]).mean(0)


def lookalikes(logits: Tensor, target: int | None = None, count: int = 3) -> list[int]:
    """The classes whose logits (K,) are nearest to the target's, as Finer-CAM chooses them.

    The target is the predicted class by default, which makes them the runners-up.
    """
    goal = int(logits.argmax()) if target is None else int(target)
    order = (logits - logits[goal]).abs().argsort(stable=True).tolist()
    return [i for i in order if i != goal][:count]
