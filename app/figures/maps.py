"""The maps that can be shown, what they are called, and how they are painted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from lafe.branches import KINDS, SIDES, STAGES, Branch, Switches
from lafe.explain.answer import difference as evidence_difference
from lafe.explain.evidence import Evidence, evidence
from lafe.explain.maps import Map, correlations, map_of
from lafe.explain.prepare import Prepared
from lafe.render import labels
from lafe.render.bars import Bars, sorted_bars
from lafe.render.names import spelled
from lafe.render.overlay import RGB, Range, overlay, value_range
from lafe.render.text import number

from ..state import models
from ..state.session import (
    DIFFERENCE,
    EVIDENCE,
    EVIDENCE_LAYERS,
    FUSED_LAYERS,
    PART_LAYERS,
    PHOTO,
    WHY,
    Panel,
    Photo,
)

_NAMES = (
    labels.MAPS
    | {layer: f"Evidence in {labels.SHORT_TERMS[_part]}" for layer in PART_LAYERS
       for _part in [layer.partition("-")[2]]}
    | {
        PHOTO: "Photo",
        EVIDENCE: "Evidence",
        WHY: "Why not the runner-up",
        DIFFERENCE: f"A {labels.MINUS} B",
    }
)  # fmt: skip
MEAN = "mean over its channels"


@dataclass(frozen=True, eq=False)
class Layer:
    """A map with what a reader must know of it.

    Attributes:
        name: for people.
        heat: (h, w), or None where there is no map.
        note: what its values are, or why there are none.
        signed: its values go both ways from zero.  That belongs to the kind of map, not to the
            values that happen to be in one: the colours of a layer never change.
        percentile: of its values at which the colours end, both ways.
        ends: what the lowest and the highest colours say, where it is more than a number.
    """

    name: str
    heat: Map | None
    note: str
    signed: bool = False
    ends: tuple[str, str] | None = None
    percentile: float = 100


@dataclass(frozen=True)
class Question:
    """A question that evidence answers: why a class rather than some others.

    Without others it is rather than the average class.
    """

    target: str
    versus: tuple[str, ...] = ()

    @property
    def rivals(self) -> str:
        """The others, for people."""
        *most, last = map(spelled, self.versus or ("the average class",))
        return f"{', '.join(most)} and {last}" if most else last


@dataclass(frozen=True)
class Scale:
    """The values that the ends of the colours stand for."""

    range: Range
    signed: bool


def name(layer: str) -> str:
    """A layer for people; that of a branch is called as it is, ``r_dis5``."""
    return _NAMES.get(layer, layer)


def layer(photo: Photo, checkpoint: str, panel: Panel, key: str, question: Question) -> Layer:
    """One of ``LAYERS`` in a panel's setting; all but evidence as the mean over its channels."""
    if key == PHOTO:
        return Layer(name(key), None, "")
    if key in EVIDENCE_LAYERS:
        return _evidence(photo, checkpoint, panel, key, question)
    prepared = models.under(photo, panel, models.model(checkpoint))
    if key in FUSED_LAYERS:
        return _fused(prepared, panel.switches, key)
    return _branch(name(key), prepared, Branch.parse(key), panel.switches)


def stage_layers(prepared: Prepared, switches: Switches, stage: int) -> list[Layer]:
    """A stage's maps: of each side its two branches, then their sum."""
    layers = []
    for side, total in zip(SIDES, prepared.stage_sums(stage, switches), strict=True):
        branches = [Branch(stage, kind, side) for kind in KINDS]
        for branch in branches:
            title = f"{labels.KINDS[branch.kind]} {branch}"
            layers.append(_branch(title, prepared, branch, switches))
        on = any(switches[branch] for branch in branches)
        layers.append(_mean(f"Sum {side}", map_of(total), on))
    return layers


def gates(prepared: Prepared, switches: Switches, stage: int) -> list[Layer | Bars]:
    """A stage's gates, in the order of `stage_layers`: a region gate is a map, of a channel gate
    its sorted weights are bars; of sums there is none.
    """
    found: list[Layer | Bars] = []
    for side in SIDES:
        for kind in KINDS:
            branch = Branch(stage, kind, side)
            title = f"Gate of {branch}"
            weights = prepared.gate(branch)[0].cpu().numpy()
            if not switches[branch]:
                found.append(_off(title))
            elif kind == "r":
                found.append(Layer(title, weights[0], "one weight a region"))
            else:
                found.append(sorted_bars(weights, side, title))
    return found


def pairs(layers: Iterable[Layer]) -> list[str]:
    """The correlations of each pair of maps, in words, highest first."""
    shown = {each.name: each.heat for each in layers if each.heat is not None}
    found = correlations(shown)
    known = sorted(((v, k) for k, v in found.items() if v is not None), reverse=True)
    words = [f"{a} and {b}: {number(v, '+.2f')}" for v, (a, b) in known]
    flat = [f"{a} and {b}: one is flat" for (a, b), v in found.items() if v is None]
    return words + flat


def fused_layers(photo: Photo, checkpoint: str, panel: Panel) -> list[Layer]:
    """The backbone's features, D, C, and what they add up to."""
    prepared = models.under(photo, panel, models.model(checkpoint))
    f5 = prepared.feature(STAGES[-1])
    fused = (_fused(prepared, panel.switches, key) for key in ("dis", "con", "final"))
    return [_mean(labels.TERMS["backbone"], map_of(f5)), *fused]


def _fused(prepared: Prepared, switches: Switches, key: str) -> Layer:
    if key != "final" and not _any_on(switches, key):
        return _off(name(key))
    fused = prepared.fused(switches)
    heat = map_of({"final": fused.F5, "dis": fused.D, "con": fused.C}[key])
    return _mean(name(key), heat, signed=key == "final")  # a difference; the others are sums


def _mean(title: str, heat: Map, on: bool = True, signed: bool = False) -> Layer:
    return Layer(title, heat, f"{title}, {MEAN}", signed) if on else _off(title)


def _off(title: str) -> Layer:
    return Layer(title, None, f"{title} is off in this setting: there is no map.")


def _branch(title: str, prepared: Prepared, branch: Branch, switches: Switches) -> Layer:
    if not switches[branch]:
        return _off(title)
    return _mean(title, map_of(prepared.branch_map(branch)))


def _any_on(switches: Switches, side: str) -> bool:
    return len(switches.side(side)) > 0


def _evidence(photo: Photo, checkpoint: str, panel: Panel, key: str, question: Question) -> Layer:
    ready = models.under(photo, panel, models.model(checkpoint))
    return evidence_layer(ready, panel.switches, key, question)


def evidence_layer(ready: Prepared, switches: Switches, key: str, question: Question) -> Layer:
    """The share of every place in a class's centred logit, or in its lead over another class."""
    classes, part = ready.card.classes, key.partition("-")[2]
    for asked in (question.target, *question.versus):
        if asked not in classes:
            return Layer(name(key), None, f"This model does not know {asked}.")
    if part in SIDES and not _any_on(switches, part):
        return _off(name(key))
    target = classes.index(question.target)
    found = evidence(ready, target=target, switches=switches, versus=_versus(question, classes))
    parts = {"backbone": found.backbone, "dis": found.dis, "con": found.con}
    heat = parts[part] if part else found.total
    note = _sums(found, float(heat.sum()), "lead" if question.versus else "centred logit")
    return Layer(name(key), heat.numpy(), note, signed=True, ends=_ends(question))


def difference(
    photo: Photo, sides: Sequence[tuple[str, Panel]], question: Question, *, raw: bool
) -> Layer:
    """Subtract what every place adds in B from what it adds in A: settings of one model."""
    title = name(DIFFERENCE)
    if len(sides) < 2:
        return Layer(title, None, "There is no B: add a panel.")
    (first, a), (second, b) = sides[:2]
    if first != second:
        return Layer(title, None, "A and B are of two models: their logits are not one scale.")
    model = models.model(first)
    classes = model.card.classes
    heat = evidence_difference(
        (models.under(photo, a, model), a.switches),
        (models.under(photo, b, model), b.switches),
        classes.index(question.target),
        _versus(question, classes),
        calibrated=not raw,
    )
    kind = "raw" if raw else "calibrated"
    note = f"Its places add up to {number(float(heat.sum()), '+.2f')} of the {kind} logit."
    target = spelled(question.target)
    ends = f"more for {target} in B", f"more for {target} in A"
    return Layer(title, heat.numpy(), note, signed=True, ends=ends)


def _ends(question: Question) -> tuple[str, str]:
    """Words for the ends of the colours of evidence."""
    target = spelled(question.target)
    return f"for {question.rivals}" if question.versus else f"against {target}", f"for {target}"


def _versus(question: Question, classes: Sequence[str]) -> list[int] | Literal["mean"]:
    """The others as evidence takes them."""
    return [classes.index(name) for name in question.versus] or "mean"


def _sums(found: Evidence, total: float, whole: str) -> str:
    """A map's sum, and how it enters the whole."""
    terms = ", ".join(
        f"{labels.SHORT_TERMS[step]} {number(value, '+.2f')}" for step, value in found.steps.items()
    )
    return (
        f"Its places add up to {number(total, '+.2f')} of the {whole} "
        f"{number(found.logit, '+.2f')}: {terms}."
    )


def scale(layers: Iterable[Layer]) -> Scale | None:
    """One scale for all of these maps, around zero if any of them has negative values."""
    shown = [(each.heat, each) for each in layers if each.heat is not None]
    if not shown:
        return None
    maps = [heat for heat, _ in shown]
    signed = any(each.signed for _, each in shown)
    percentile = min(each.percentile for _, each in shown)
    return Scale(value_range(maps, signed=signed, percentile=percentile), signed)


def painted(picture: Image.Image, shown: Layer, on: Scale | None, opacity: float) -> RGB | None:
    """A map over the picture; None where there is no map."""
    if shown.heat is None or on is None:
        return None
    return overlay(picture, shown.heat, opacity=opacity, value_range=on.range, signed=on.signed)
