"""The objectives: the paper's (Eq. 11), one with random settings, one for live attention."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import PRESETS, STAGES, Switches
from lafe.model.fusion import Lifted
from lafe.model.lafe import LAFE
from lafe.model.losses import ConLoss, cls_loss, dis_loss, smoothed
from lafe.train.features import Maps
from lafe.train.mixed import Gates, frozen_statistics, indices, swapped
from lafe.train.recipe import Recipe

_PRESETS = tuple(s for name, s in PRESETS.items() if name not in ("full", "plain backbone"))


@dataclass(frozen=True)
class Draw:
    """All that is random in a step: decided by seed and step alone, and the same on every rank.

    Attributes:
        settings: of the pairs of the batch.
        shift: in [0, 1): how far the pair stands in the batch whose gates a pair gets.
        first: the first stage at which gates are swapped.
    """

    settings: tuple[Switches, ...]
    shift: float
    first: int


def draw(recipe: Recipe, step: int, pairs: int) -> Draw:
    """Draw what a step of an objective needs."""
    g = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    # Before the settings: ranks may have batches of other sizes.
    shift = torch.rand(1, generator=g).item()
    first = STAGES[int(torch.randint(len(STAGES), (1,), generator=g))]
    if recipe.objective == "switched":
        settings = tuple(_any_setting(g) for _ in range(pairs))
    else:
        settings = tuple(_mild_setting(g, recipe.switch_share) for _ in range(pairs))
    return Draw(settings, shift, first)


def _any_setting(g: torch.Generator) -> Switches:
    """All on a third of the time, none a sixth, a preset a quarter, else twelve coin flips."""
    u = torch.rand(1, generator=g).item()
    if u < 1 / 3:
        return Switches.all()
    if u < 1 / 2:
        return Switches.none()
    if u < 3 / 4:
        return _PRESETS[int(torch.randint(len(_PRESETS), (1,), generator=g))]
    return Switches.from_index(int(torch.randint(4096, (1,), generator=g)))


def _mild_setting(g: torch.Generator, share: float) -> Switches:
    """All on, but for a share: no D, no C, neither, or twelve coin flips, each equally often."""
    if torch.rand(1, generator=g).item() >= share:
        return Switches.all()
    flips = Switches.from_index(int(torch.randint(4096, (1,), generator=g)))
    off = (
        Switches.all().without("r_dis", "c_dis"),
        Switches.all().without("r_con", "c_con"),
        Switches.none(),
        flips,
    )
    return off[int(torch.randint(len(off), (1,), generator=g))]


Inputs = Tensor | Maps
"""Photos (B, 3, S, S), or what the backbone made of them: f_3, f_4, f_5."""

Objective = Callable[[LAFE, ConLoss, Recipe, Inputs, Tensor, Draw], dict[str, Tensor]]
"""Model, FC of Eq. 9, recipe, inputs, labels (B,), draw -> weighted parts by name."""

OBJECTIVES: dict[str, Objective] = {}
"""Every objective by the name that recipes give it."""


def _register(objective: Objective) -> Objective:
    OBJECTIVES[objective.__name__] = objective
    return objective


def loss_parts(
    model: LAFE, con: ConLoss, recipe: Recipe, x: Inputs, labels: Tensor, drawn: Draw
) -> dict[str, Tensor]:
    """The parts of a recipe's objective; a plain backbone has the cross-entropy alone."""
    objective = OBJECTIVES[recipe.objective] if recipe.attention else paper
    return objective(model, con, recipe, x, labels, drawn)


@_register
def paper(
    model: LAFE, con: ConLoss, recipe: Recipe, x: Inputs, labels: Tensor, drawn: Draw
) -> dict[str, Tensor]:
    """``L = L_cls + L_dis + L_con`` (Eq. 11), its parts weighted and by name.

    A variant without attention leaves ``cls`` alone.

    Shape: photos (B, 3, S, S) or their features, labels (B,) -> scalars.
    """
    features = backbone_features(model, recipe, x)
    with _low_precision(recipe.head_bf16, labels):
        D, C = model.attributes(features)
    D, C = (None if m is None else m.float() for m in (D, C))
    targets = smoothed(labels, model.classifier.out_features, recipe.smoothing)
    parts = {"cls": _cls(model, model.final(features[-1].float(), D, C), targets)}
    if D is not None and C is not None:
        parts |= _feature_losses(con, recipe, D, C, labels)
    return parts


@_register
def switched(
    model: LAFE, con: ConLoss, recipe: Recipe, x: Inputs, labels: Tensor, drawn: Draw
) -> dict[str, Tensor]:
    """The paper's losses, each pair under a setting of its own, and one that gives D a task.

    The classifier on D alone should name the class (``alone``).

    Shape: photos (B, 3, S, S) or their features, labels (B,), a setting per pair of neighbours ->
    scalars.
    """
    features = backbone_features(model, recipe, x)
    D, C = _maps(model, recipe, features, _settings(drawn, labels))
    targets = smoothed(labels, model.classifier.out_features, recipe.smoothing)
    parts = {"cls": _cls(model, model.final(features[-1].float(), D, C), targets)}
    parts |= _feature_losses(con, recipe, D, C, labels)
    parts |= _alone(model, recipe, D, targets)
    return parts


@_register
def attentive(
    model: LAFE, con: ConLoss, recipe: Recipe, x: Inputs, labels: Tensor, drawn: Draw
) -> dict[str, Tensor]:
    """``switched``, and losses that dead attention cannot meet.

    ``counterfactual``: the gates of another photo must cost the prediction.  ``overlap`` and
    ``correlation``: D and C look at different places and channels.  ``subtraction``: taking C away
    helps by itself.

    Shape: photos (B, 3, S, S) or their features, labels (B,), a setting per pair of neighbours ->
    scalars.
    """
    features = backbone_features(model, recipe, x)
    f5 = features[-1].float()
    settings, gates = _settings(drawn, labels), model.gates(features)
    lifted: Lifted = {}
    D, C = _maps(model, recipe, features, settings, gates, lifted)
    targets = _distilled(model, f5, labels, recipe)
    parts = {"cls": _cls(model, model.final(f5, D, C), targets)}
    parts |= _feature_losses(con, recipe, D, C, labels)
    parts |= _alone(model, recipe, D, targets)
    if recipe.counterfactual_loss:
        order = _other_pair(len(labels), drawn.shift).to(labels.device)
        stages = [s for s in STAGES if s >= drawn.first]
        others = swapped(gates, order, stages)
        below = {at: maps for at, maps in lifted.items() if at[1] == drawn.first}
        with frozen_statistics(model):
            D2, C2 = _maps(model, recipe, features, settings, others, below)
        gained = counterfactual_loss(model, D, C, D2, C2, targets)
        parts["counterfactual"] = recipe.counterfactual_loss * gained
    if recipe.overlap_loss:
        parts["overlap"] = recipe.overlap_loss * overlap_loss(gates)
    if recipe.correlation_loss:
        alike = correlation_loss(D, C, recipe.correlation_allowed)
        parts["correlation"] = recipe.correlation_loss * alike
    if recipe.subtraction_loss:
        helped = subtraction_loss(model, f5, C, labels, recipe.rivals, recipe.smoothing)
        parts["subtraction"] = recipe.subtraction_loss * helped
    return parts


def counterfactual_loss(
    model: LAFE,
    D: Tensor,
    C: Tensor,
    D_other: Tensor,
    C_other: Tensor,
    targets: Tensor,
) -> Tensor:
    """Cross-entropy of ``W GAP(D - C - D' + C')``: what these gates say and another photo's do not.

    Over the photos that have anything on.

    Source: Rao et al., *Counterfactual Attention Learning for Fine-Grained Visual Categorization
    and Re-identification*, ICCV 2021.

    Shape: four maps (B, C_5, H_5, W_5), targets (B, K) -> scalar.
    """
    effect = _pooled(D) - _pooled(C) - _pooled(D_other) + _pooled(C_other)
    logits = effect @ model.classifier.weight.T
    losses = F.cross_entropy(logits, targets, reduction="none")
    return _mean_over(_on(D) | _on(C), losses)


def overlap_loss(gates: Gates) -> Tensor:
    """The overlap of the places and channels that the two sides weight, averaged over the stages.

    Regions: the mean over places of ``g_dis g_con``, each divided by its own mean (1 where one of
    the two is uniform).  Channels: four times the mean product (1 at a half).

    Shape: gates of a batch -> scalar.
    """
    losses = []
    for branch in gates:
        if branch.side == "dis":
            pair = (gates[branch], gates[replace(branch, side="con")])
            a, b = (gate.float().flatten(1) for gate in pair)
            if branch.kind == "r":
                a, b = (g / (g.mean(1, keepdim=True) + 1e-3) for g in (a, b))
                losses.append((a * b).mean())
            else:
                losses.append(4 * (a * b).mean())
    return torch.stack(losses).sum() / len({branch.stage for branch in gates})


def correlation_loss(D: Tensor, C: Tensor, allowed: float = 0.0) -> Tensor:
    """The correlation over places of D's and C's channel means, as far as it is above ``allowed``.

    It moves C alone: D stays on the object.

    Shape: (B, C_5, H_5, W_5) each -> scalar.
    """

    def standard(m: Tensor) -> Tensor:
        places = m.mean(1).flatten(1)
        return F.normalize(places - places.mean(1, keepdim=True), dim=1, eps=1e-4)

    return ((standard(D.detach()) * standard(C)).sum(1) - allowed).relu().mean()


def subtraction_loss(
    model: LAFE, f5: Tensor, C: Tensor, labels: Tensor, rivals: int = 0, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy after C is taken away: the one task that C has for itself.

    Of ``W GAP(f_5 - C) + b``; or, with rivals, of ``-W GAP(C)`` among the true class and so many
    wrong ones, those that ``f_5`` alone takes for the likeliest.  W, b and f_5 learn nothing here.

    Shape: (B, C_5, H_5, W_5) each, labels (B,) -> scalar.
    """
    W, b = model.classifier.weight.detach(), model.classifier.bias.detach()
    plain = _pooled(f5.detach().float()) @ W.T + b
    taken = _pooled(C) @ W.T
    if not rivals:
        among, target = plain - taken, labels
    else:
        true = labels[:, None]
        wrong = plain.scatter(1, true, -torch.inf).topk(min(rivals, len(b) - 1), 1).indices
        among = -taken.gather(1, torch.cat([true, wrong], 1))
        target = torch.zeros_like(labels)
    losses = F.cross_entropy(among, target, reduction="none", label_smoothing=smoothing)
    return _mean_over(_on(C), losses)


def _maps(
    model: LAFE,
    recipe: Recipe,
    features: tuple[Tensor, ...],
    settings: Tensor,
    gates: Gates | None = None,
    lifted: Lifted | None = None,
) -> tuple[Tensor, Tensor]:
    """``D`` and ``C`` in float32, each photo under its own setting; zeros where they are off."""
    with _low_precision(recipe.head_bf16, features[-1]):
        maps = model.attributes(features, settings, gates, lifted)
    f5 = features[-1].float()
    D, C = (torch.zeros_like(f5) if m is None else m.float() for m in maps)
    return D, C


def _settings(drawn: Draw, labels: Tensor) -> Tensor:
    return indices(drawn.settings).repeat_interleave(2, 0)[: len(labels)].to(labels.device)


def _other_pair(photos: int, shift: float) -> Tensor:
    """A photo of another pair for each of a batch: the batch turned by some pairs."""
    pairs = photos // 2
    turn = 2 * (1 + int(shift * (pairs - 1))) if pairs > 1 else photos // 2
    return torch.arange(photos).roll(turn)


def backbone_features(model: LAFE, recipe: Recipe, x: Inputs) -> Maps:
    """f_3, f_4, f_5 of photos (B, 3, S, S), in bfloat16 if the recipe says so; or as given."""
    if isinstance(x, tuple):
        return x
    with _low_precision(recipe.backbone_bf16, x):
        maps: tuple[Tensor, ...] = model.backbone(x)
    return maps


def _low_precision(on: bool, x: Tensor) -> AbstractContextManager[Any]:
    """bfloat16 if it is on, else whatever precision the trainer runs at."""
    return torch.autocast(x.device.type, torch.bfloat16) if on else nullcontext()


def _pooled(m: Tensor) -> Tensor:
    return m.mean((2, 3))


def _on(m: Tensor) -> Tensor:
    """Photos that have a map at all: (B,) bool."""
    return m.detach().flatten(1).any(1)


def _mean_over(chosen: Tensor, losses: Tensor) -> Tensor:
    """The mean of the chosen photos' losses; zero, with a gradient, where none is."""
    return (losses * chosen).sum() / chosen.sum().clamp(min=1)


def _distilled(model: LAFE, f5: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Labels mixed with the classes that the classifier sees in f_5 alone.

    Where it knows the training photos by heart already, labels teach the branches only what is
    peculiar to these photos; what the classifier confuses holds for others too.

    Source: Hinton et al., *Distilling the Knowledge in a Neural Network*, 2015.

    Shape: f_5 (B, C_5, H_5, W_5), labels (B,) -> (B, K); f_5 and the classifier learn nothing here.
    """
    if not recipe.distillation:
        return smoothed(labels, model.classifier.out_features, recipe.smoothing)
    with torch.no_grad():
        taught = model.classify(f5).float().softmax(1)
    own = F.one_hot(labels, taught.shape[1]).float()
    return own.lerp(taught, recipe.distillation)


def _cls(model: LAFE, features: Tensor, targets: Tensor) -> Tensor:
    return cls_loss(model.classify(features), targets)


def _alone(model: LAFE, recipe: Recipe, D: Tensor, targets: Tensor) -> dict[str, Tensor]:
    on = _on(D)
    if not recipe.alone_loss or not on.any():
        return {}
    return {"alone": recipe.alone_loss * _cls(model, D[on], targets[on])}


def _feature_losses(
    con: ConLoss, recipe: Recipe, D: Tensor, C: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    parts = {}
    if recipe.dis_loss:
        parts["dis"] = recipe.dis_loss * dis_loss(D, labels)
    if recipe.con_loss:
        parts["con"] = recipe.con_loss * con(C)
    return parts
