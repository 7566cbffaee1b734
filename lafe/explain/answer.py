"""An answer in one breath: the likeliest class, the next, and what flips it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lafe.branches import PRESETS, Switches
from lafe.explain.evidence import Versus, class_direction
from lafe.explain.prepare import Prepared
from lafe.explain.probabilities import temperatures
from lafe.explain.unknown import looks_unknown


@dataclass(frozen=True)
class Turn:
    """A preset under which the answer is another one.

    Attributes:
        preset: its name, of ``PRESETS``.
        label: the class that it becomes.
        probability: of that class under the preset.
    """

    preset: str
    label: int
    probability: float


@dataclass(frozen=True)
class Answer:
    """The answer of a setting.

    Attributes:
        label, probability: of the likeliest class.
        next_label, next_probability: of the runner-up; None of a model of one class.
        turn: the first preset, in the order of ``PRESETS``, that takes branches of the setting
            away and says another class; None if all of them say the same.
        familiar: whether the photo looks like what the model knows.
    """

    label: int
    probability: float
    next_label: int | None
    next_probability: float | None
    turn: Turn | None
    familiar: bool


def answer(
    photo: Prepared, switches: Switches, *, calibrated: bool = True, familiar: bool | None = None
) -> Answer:
    """Answer for a setting, and find the preset that would say something else.

    Args:
        photo: as :func:`lafe.prepare` gives it, or with stand-ins for its gates.
        switches: the setting.
        calibrated: see :func:`lafe.explain.probabilities.probabilities`.
        familiar: whether the photo is, where that is known already.

    Raises:
        LafeError: the model is in training mode by now.
    """
    p = photo.probabilities(switches, calibrated=calibrated)
    first, *rest = p.topk(min(2, len(p))).indices.tolist()
    second = rest[0] if rest else None
    return Answer(
        first,
        float(p[first]),
        second,
        None if second is None else float(p[second]),
        _turn(photo, switches, first, calibrated),
        not looks_unknown(photo) if familiar is None else familiar,
    )


def _turn(photo: Prepared, switches: Switches, label: int, calibrated: bool) -> Turn | None:
    for name, preset in PRESETS.items():
        on = preset & switches
        if on in (switches, Switches.none()) and preset != Switches.none():
            continue  # takes nothing away, or all of it: then it is the plain backbone
        p = photo.probabilities(on, calibrated=calibrated)
        if (other := int(p.argmax())) != label:
            return Turn(name, other, float(p[other]))
    return None


@torch.inference_mode(False)
@torch.no_grad()
def difference(
    a: tuple[Prepared, Switches],
    b: tuple[Prepared, Switches],
    target: int,
    versus: Versus = "mean",
    *,
    calibrated: bool = True,
) -> Tensor:
    """Subtract what each position adds to a logit under one setting from that under another.

    Its sum is the difference of the two logits that are asked for, each divided by its setting's
    temperature where ``calibrated`` (the classifier's bias, which no position gives, left out).

    Args:
        a, b: a photo under a model, and a setting each.
        target, versus: see :func:`lafe.explain.evidence.evidence`.

    Shape: (H_5, W_5) float32.

    Raises:
        ValueError: the two are not of one model.
    """
    if a[0].model is not b[0].model:
        raise ValueError("Maps of two models have no difference: their logits are not one scale.")
    known = temperatures(a[0].model) if calibrated else None
    w = class_direction(a[0].logits(a[1]), target, versus) @ a[0].model.classifier.weight.float()

    def share(photo: Prepared, switches: Switches) -> Tensor:
        features = photo.fused(switches).F5
        scale = 1.0 if known is None else float(known[switches.index])
        return torch.einsum("c,chw->hw", w, features[0].float()) / features[0, 0].numel() / scale

    return share(*a) - share(*b)
