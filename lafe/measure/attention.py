"""A test of attention: what is left of a model whose gates are not those of the photo.

What stands in for a photo's gates:

- ``mean``: the mean gates over training photos;
- ``uniform``: each gate's own mean over places or channels;
- ``other photo``: those of another test photo, drawn over all of them and not in label order;
- ``other photo, rescaled``: the same, each gate with the mean that this photo's own one has, so
  that scale alone does not count;
- ``other region gates``, ``other channel gates``: rescaled too, and only those of that kind.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
import torch
from torch import Tensor

from lafe.branches import KINDS, SIDES, STAGES, Branch, Switches
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.controls import rescaled, uniform
from lafe.measure.bootstrap import Mean, interval, mean
from lafe.measure.likeness import rank_correlation, top_overlap
from lafe.measure.metrics import margin
from lafe.measure.outputs import Gates, Outputs, batches
from lafe.measure.provenance import Provenance
from lafe.measure.report import (
    Attention,
    BranchOff,
    GateFigures,
    LikelihoodGain,
    Likeness,
    Margins,
    StandIn,
)
from lafe.model.fusion import Attribute

STAND_INS = (
    "mean",
    "uniform",
    "other photo",
    "other photo, rescaled",
    "other region gates",
    "other channel gates",
)
DRAWS, KIND_DRAWS = 5, 2
"""Draws of another photo for each photo, for all gates and for those of one kind."""

DECIDES, MATTERS = 0.1, 0.02
"""Shares of predictions.  If another photo's rescaled gates change as many as the first, the
branches decide these; if they change fewer than the second, they do not matter."""
CONSTANT = 0.1
"""The deviation over photos, as a part of the mean, below which a gate is called a constant."""


Key = tuple[str, str]


@torch.no_grad()
def attention(
    model: Trained,
    photos: PhotoDataset,
    test: Outputs,
    means: Gates,
    source: Provenance,
    seed: int = 0,
) -> tuple[Attention, Mapping[str, Tensor]]:
    """Measure a split: one pass of the backbone, and some 25 of the branches and fusions.

    Returns what was found, and the class that each photo is given under every stand-in, (N, draws).

    Args:
        model: with attention branches.
        photos: of the test split, two or more.
        test: the model's outputs on them, under every preset, with every photo's gates.
        means: the mean gates over training photos.
        source: for the report.
        seed: of the other photos and of the random weights.
    """
    sides = _sides(model)
    random = {name: _random(side, seed + i) for i, (name, side) in enumerate(sides.items())}
    others = other_photos(len(photos), seed)
    device = model.classifier.weight.device
    means = {branch: gate.to(device) for branch, gate in means.items()}
    parts: list[dict[Key, Tensor]] = []
    done = 0
    for x, labels in batches(model, photos):
        rows = slice(done, done := done + len(labels))
        own = _at(rows, test.gates, device)
        drawn = [_at(other[rows], test.gates, device) for other in others]
        features = model.backbone(x)
        learned = {name: _attribute(side, features, own) for name, side in sides.items()}
        terms = _terms(model, features, own, learned, stand_ins(own, drawn, means))
        plain = model.classify(model.final(features[-1], None, None))
        maps = _maps(features, own, learned, random)
        parts.append(_answers(terms, plain, labels) | _likeness(maps, _pairs(own)))
    found = {key: torch.cat([part[key] for part in parts]).cpu() for key in parts[0]}
    return _figures(found, test, source)


def other_photos(count: int, seed: int, draws: int = DRAWS) -> list[Tensor]:
    """Another photo for each of ``count`` photos, drawn over all of them: (count,) a draw."""
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(draws):
        order = torch.randperm(count, generator=random)
        other = torch.empty_like(order)
        other[order] = order.roll(1)  # one round through all of them: never the photo itself
        found.append(other)
    return found


def stand_ins(own: Gates, others: Sequence[Gates], means: Gates) -> dict[str, list[Gates]]:
    """Replacements for the gates of some photos, by name; one for each draw.

    Args:
        own: the photos' gates.
        others: other photos' gates, in as many draws.
        means: mean gates, for one photo.
    """
    scaled: list[Gates] = [
        {b: rescaled(other[b], gate) for b, gate in own.items()} for other in others
    ]

    def only(kind: str, gates: Gates) -> Gates:
        return {b: gates[b] if b.kind == kind else gate for b, gate in own.items()}

    found: tuple[list[Gates], ...] = (
        [{b: means[b].expand_as(gate) for b, gate in own.items()}],
        [{b: uniform(gate) for b, gate in own.items()}],
        list(others),
        scaled,
        [only("r", gates) for gates in scaled[:KIND_DRAWS]],
        [only("c", gates) for gates in scaled[:KIND_DRAWS]],
    )
    return dict(zip(STAND_INS, found, strict=True))


def gate_figures(gates: Tensor) -> GateFigures:
    """The verdict on one gate, from those of N photos, (N, 1, H, W) or (N, C, 1, 1)."""
    g = gates.flatten(1).double()
    level = float(g.mean())
    over_photos = g.var(0, correction=0)
    of_photo, of_place = float(over_photos.mean()), float(g.mean(0).var(correction=0))
    return GateFigures(
        mean=level,
        deviation=float(over_photos.sqrt().mean()) / level if level else 0.0,
        photo_share=of_photo / (of_photo + of_place) if of_photo else 0.0,
    )


def verdict(stand_ins: Mapping[str, StandIn], gates: Mapping[str, GateFigures]) -> str:
    """One sentence on whether the maps of the branches are about the photo.

    Where one kind of gate alone moves predictions, it alone is named; where both do, the share of
    each stands beside the sentence.

    Args:
        stand_ins: what other photos' rescaled gates do, all twelve and each kind alone.
        gates: by branch.
    """
    swapped = stand_ins["other photo, rescaled"]
    changed = f"{_percent(swapped.changed)} of predictions"
    alone = {
        "places": stand_ins["other region gates"].changed,
        "channels": stand_ins["other channel gates"].changed,
    }
    moving = [what for what, share in alone.items() if share >= MATTERS] or list(alone)
    idle = [what for what in alone if what not in moving]
    what = " and ".join(moving)
    if idle:
        rest = "".join(f"; which {each}, {_percent(alone[each])}" for each in idle)
    else:
        rest = " (" + ", ".join(f"{k} alone {_percent(v)}" for k, v in alone.items()) + ")"
    if swapped.changed >= DECIDES and swapped.cost.low > 0:
        return f"Which {what} these branches weight decides {changed}{rest}."
    if swapped.changed >= DECIDES:
        return (
            f"Which {what} these branches weight changes {changed}{rest}; but the test photos do "
            "not show that it makes more of them right."
        )
    if swapped.changed >= MATTERS:
        return (
            f"Which {what} these branches weight decides only {changed}{rest}: read the maps as "
            "mostly the backbone's."
        )
    if median(gate.deviation for gate in gates.values()) < CONSTANT:
        return "These gates are constants: read the maps as the backbone's."
    return (
        f"These gates follow the photo, but decide only {changed}: read the maps as the backbone's."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _at(rows: slice | Tensor, gates: Gates, device: torch.device) -> Gates:
    return {branch: gate[rows].to(device) for branch, gate in gates.items()}


def _sides(model: Trained) -> dict[str, Attribute]:
    return {"D": model.sides["dis"], "C": model.sides["con"]}


def _random(side: Attribute, seed: int) -> Attribute:
    """A copy with the weights that it has before training."""
    side = copy.deepcopy(side)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in side.modules():
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
    return side


def _attribute(side: Attribute, features: Sequence[Tensor], gates: Gates) -> Tensor:
    """``D`` or ``C`` under these gates; a branch without a gate is off."""
    fused = side(features, Switches.only(*gates), gates)
    return torch.zeros_like(features[-1]) if fused is None else fused


def _terms(
    model: Trained,
    features: Sequence[Tensor],
    own: Gates,
    learned: Mapping[str, Tensor],
    replaced: Mapping[str, Sequence[Gates]],
) -> dict[Key, Tensor]:
    """The terms of ``D`` and ``C`` in the logits, (B, draws, K) each.

    By side, and by ``learned``, what stands in or ``without`` a branch.
    """
    found = {}
    for name, side in _sides(model).items():
        maps = {"learned": [learned[name]]}
        for stand_in, given in replaced.items():
            maps[stand_in] = [_attribute(side, features, gates) for gates in given]
        for branch in side.branches:
            rest = {key: gate for key, gate in own.items() if key != branch}
            maps[f"without {branch}"] = [_attribute(side, features, rest)]
        for what, draws in maps.items():
            pooled = torch.stack([m.mean((2, 3)) for m in draws], 1)
            found[name, what] = pooled @ model.classifier.weight.T
    return found


def _maps(
    features: Sequence[Tensor],
    own: Gates,
    learned: Mapping[str, Tensor],
    random: Mapping[str, Attribute],
) -> dict[str, Tensor]:
    """Maps by name, as means over channels, (B, places)."""
    maps = {**learned, "f5": features[-1]}
    for name, side in random.items():
        maps[f"random {name}"] = _attribute(side, features, side.gates(features))
    found = {name: m.mean(1).flatten(1) for name, m in maps.items()}
    for branch, gate in own.items():
        f = features[STAGES.index(branch.stage)]
        # A region gate is the same for all channels.
        seen = gate[:, 0] * f.mean(1) if branch.kind == "r" else (gate * f).mean(1)
        found[str(branch)] = seen.flatten(1)
    return found


def _answers(terms: Mapping[Key, Tensor], plain: Tensor, labels: Tensor) -> dict[Key, Tensor]:
    """The classes that some photos are given, (B, draws), and the margins of D and C, (B,).

    Kept of each photo instead of its logits, of which there are some fifty times K.

    Args:
        terms: of D and C, see :func:`_terms`.
        plain: logits of the plain backbone, (B, K).
        labels: (B,).
    """

    def predicted(D: str = "learned", C: str = "learned") -> Tensor:
        return (plain[:, None] + terms["D", D] - terms["C", C]).argmax(2)

    found: dict[Key, Tensor] = {("given", name): predicted(name, name) for name in STAND_INS}
    found["given", "learned"] = predicted()
    for side, name in terms:
        if name.startswith("without "):
            found["given", name] = predicted(**{side: name})
    for side in "DC":
        found["margin", side] = margin(plain, terms[side, "learned"][:, 0], labels)[:, 0]
    return found


def _likeness(maps: Mapping[str, Tensor], pairs: Sequence[tuple[str, str]]) -> dict[Key, Tensor]:
    """Rank correlation and overlap of pairs of maps of each photo, (B, 2); NaN where none is."""
    found: dict[Key, Tensor] = {}
    for a, b in [*pairs, *((side, f"random {side}") for side in "DC")]:
        both = [maps[name].float().cpu().numpy() for name in (a, b)]
        alike = np.stack([rank_correlation(*both), top_overlap(*both)], 1)
        found["alike", f"{a} - {b}"] = torch.from_numpy(alike)
    return found


def _figures(
    found: Mapping[Key, Tensor], test: Outputs, source: Provenance
) -> tuple[Attention, Mapping[str, Tensor]]:
    y = test.labels[:, None]
    full = found["given", "learned"]
    right = (full == y).float().mean(1)
    given = {name: found["given", name] for name in STAND_INS}

    def stand_in(given: Tensor) -> StandIn:
        theirs = (given == y).float().mean(1)
        changed = float((given != full).float().mean())
        return StandIn(float(theirs.mean()), changed, interval(right - theirs), given.shape[1])

    def off(predictions: Tensor, against: Tensor) -> BranchOff:
        shares = ((predictions == y).float().mean(), (predictions != against).float().mean())
        return BranchOff(*map(float, shares))

    without = {
        name.removeprefix("without "): off(classes, full)
        for (what, name), classes in found.items()
        if what == "given" and name.startswith("without ")
    }
    presets = {name: answers.predicted[:, None] for name, answers in test.answers.items()}
    without |= {name: off(p, presets["full"]) for name, p in presets.items() if name != "full"}
    stand_ins = {name: stand_in(classes) for name, classes in given.items()}
    gates = {str(branch): gate_figures(g) for branch, g in test.gates.items()}
    attends = Attention(
        source=source,
        photos=len(y),
        top1=float(right.mean()),
        stand_ins=stand_ins,
        gates=gates,
        maps={f"{a} - {b}": _alike(found, a, b) for a, b in _pairs(test.gates)},
        randomised={side: _alike(found, side, f"random {side}") for side in "DC"},
        margins=Margins(D=interval(found["margin", "D"]), C=interval(-found["margin", "C"])),
        off=without,
        likelihood=likelihood_gain(test),
        verdict=verdict(stand_ins, gates),
    )
    return attends, given


def likelihood_gain(test: Outputs) -> LikelihoodGain | None:
    """The gain in log-likelihood over all branches off, each side with its own temperature.

    None where there are no temperatures: without them scale alone would gain.
    """
    full, plain = test.answers["full"], test.answers["plain backbone"]
    if full.temperature is None or plain.temperature is None:
        return None
    return LikelihoodGain(interval(plain.loss - full.loss), full.temperature, plain.temperature)


def _pairs(gates: Gates) -> list[tuple[str, str]]:
    """The maps that are compared: of the sides and f_5, and of the two branches of each sum."""
    sums = ([Branch(i, kind, side) for kind in KINDS] for i in STAGES for side in SIDES)
    both = ((str(a), str(b)) for a, b in sums if a in gates and b in gates)
    return [("D", "C"), ("D", "f5"), ("C", "f5"), *both]


def _alike(found: Mapping[Key, Tensor], a: str, b: str) -> Likeness:
    def over_photos(values: Tensor) -> Mean | None:
        return mean(None if math.isnan(v) else v for v in values.tolist())

    spearman, overlap = found["alike", f"{a} - {b}"].unbind(1)
    return Likeness(over_photos(spearman), over_photos(overlap))
