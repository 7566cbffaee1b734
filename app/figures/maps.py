"""The maps that can be shown, what they are called, and how they are painted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from lafe.branches import KINDS, SIDES, STAGES, Branch, Switches
from lafe.explain.evidence import Evidence, evidence
from lafe.explain.maps import Map, map_of
from lafe.explain.prepare import Prepared
from lafe.render import labels
from lafe.render.overlay import RGB, Range, overlay, value_range
from lafe.render.text import number

from ..state import models
from ..state.session import AVERAGE, EVIDENCE_LAYERS, FUSED_LAYERS, Panel, Photo

_NAMES = labels.MAPS | {
    layer: f"Evidence in {labels.SHORT_TERMS[part]}" if part else "All evidence"
    for layer in EVIDENCE_LAYERS
    for part in [layer.partition("-")[2]]
}
MEAN = "mean over its channels"


@dataclass(frozen=True, eq=False)
class Layer:
    """A map with what a reader must know of it.

    Attributes:
        name: for people.
        heat: (h, w), or None where there is no map.
        note: what its values are, or why there are none.
        signed: its values are for and against something, even if all have one sign.
    """

    name: str
    heat: Map | None
    note: str
    signed: bool = False


@dataclass(frozen=True)
class Question:
    """A question that evidence answers: why a class rather than another, or than ``AVERAGE``."""

    target: str
    versus: str


@dataclass(frozen=True)
class Scale:
    """The values that the ends of the colours stand for."""

    range: Range
    signed: bool


def name(layer: str) -> str:
    """``r_dis5`` -> ``r_dis at stage 5``."""
    return _NAMES.get(layer) or Branch.parse(layer).title


def layer(photo: Photo, checkpoint: str, panel: Panel, key: str, question: Question) -> Layer:
    """One of ``LAYERS`` in a panel's setting; all but evidence as the mean over its channels."""
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
            title = f"{labels.KINDS[branch.kind]} {branch.name}"
            layers.append(_branch(title, prepared, branch, switches))
        on = any(switches[branch] for branch in branches)
        layers.append(_mean(f"Sum {side}", map_of(total), on))
    return layers


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
    return _mean(name(key), map_of({"final": fused.F5, "dis": fused.D, "con": fused.C}[key]))


def _mean(title: str, heat: Map, on: bool = True) -> Layer:
    return Layer(title, heat, f"{title}, {MEAN}") if on else _off(title)


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
    for asked in (question.target, question.versus):
        if asked != AVERAGE and asked not in classes:
            return Layer(name(key), None, f"This model does not know {asked}.")
    if part in SIDES and not _any_on(switches, part):
        return _off(name(key))
    versus: int | Literal["mean"] = (
        "mean" if question.versus == AVERAGE else classes.index(question.versus)
    )
    target = classes.index(question.target)
    found = evidence(ready, target=target, switches=switches, versus=versus)
    parts = {"backbone": found.backbone, "dis": found.dis, "con": found.con}
    heat = parts[part] if part else found.total
    note = _sums(found, float(heat.sum()), "lead" if versus != "mean" else "centred logit")
    return Layer(name(key), heat.numpy(), note, signed=True)


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
    shown = [(each.heat, each.signed) for each in layers if each.heat is not None]
    if not shown:
        return None
    maps = [heat for heat, _ in shown]
    signed = any(around or float(heat.min()) < 0 for heat, around in shown)
    return Scale(value_range(maps, signed=signed), signed)


def painted(picture: Image.Image, shown: Layer, on: Scale | None, opacity: float) -> RGB | None:
    """A map over the picture; None where there is no map."""
    if shown.heat is None or on is None:
        return None
    return overlay(picture, shown.heat, opacity=opacity, value_range=on.range, signed=on.signed)
