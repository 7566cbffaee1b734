"""The maps that can be shown, what they are called, and how they are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from app import models
from app.session import FUSED_LAYERS, Photo
from lafe.branches import ATTRIBUTES, STAGES, Switches
from lafe.overlay import RGB, Map, Range, map_of, overlay, value_range

NAMES = {"final": "Final", "dis": "Discriminative", "con": "Confusable"}
KINDS = {"r": "Region", "c": "Channel"}
SYMBOLS = {"final": "F₅", "dis": "D", "con": "C"}


@dataclass(frozen=True, eq=False)
class Layer:
    """A map with what a reader must know of it.

    Attributes:
        name: for people.
        heat: (h, w), or None where the setting has it switched off.
    """

    name: str
    heat: Map | None


@dataclass(frozen=True)
class Scale:
    """The values that the ends of the colours stand for."""

    range: Range
    signed: bool


def name(layer: str) -> str:
    """``r_dis5`` -> ``r_dis at stage 5``."""
    if layer in FUSED_LAYERS:
        return f"{NAMES[layer]} {SYMBOLS[layer]}"
    return f"{layer[:-1]} at stage {layer[-1]}"


def layer(photo: Photo, checkpoint: str, switches: Switches, key: str) -> Layer:
    """One of ``LAYERS`` under a setting, as the mean over its channels."""
    if key in FUSED_LAYERS:
        heat = models.evaluated(photo, checkpoint, switches).maps[key]
        on = key == "final" or any(branch in ATTRIBUTES[key] for _, branch in switches)
    else:
        branch, stage = key[:-1], int(key[-1])
        heat = map_of(models.prepared(photo, checkpoint).branch_map(stage, branch))
        on = switches[stage, branch]
    return Layer(name(key), heat if on else None)


def stage_layers(photo: Photo, checkpoint: str, switches: Switches, stage: int) -> list[Layer]:
    """A stage's maps: of each side its two branches, then their sum."""
    prepared = models.prepared(photo, checkpoint)
    layers = []
    for side, total in zip(ATTRIBUTES, prepared.stage_sums(stage, switches), strict=True):
        for branch in ATTRIBUTES[side]:
            heat = map_of(prepared.branch_map(stage, branch))
            on = switches[stage, branch]
            layers.append(Layer(f"{KINDS[branch[0]]} {branch}", heat if on else None))
        on = any(switches[stage, branch] for branch in ATTRIBUTES[side])
        layers.append(Layer(f"Sum {side}", map_of(total) if on else None))
    return layers


def fused_layers(photo: Photo, checkpoint: str, switches: Switches) -> list[Layer]:
    """The backbone's features, D, C, and what they add up to."""
    f5 = models.prepared(photo, checkpoint).feature(STAGES[-1])
    fused = (layer(photo, checkpoint, switches, key) for key in ("dis", "con", "final"))
    return [Layer("Backbone f₅", map_of(f5)), *fused]


def scale(layers: Sequence[Layer]) -> Scale | None:
    """One scale for all of these maps, around zero if any of them has negative values."""
    maps = [each.heat for each in layers if each.heat is not None]
    if not maps:
        return None
    signed = any(float(heat.min()) < 0 for heat in maps)
    return Scale(value_range(maps, signed=signed), signed)


def painted(picture: Image.Image, shown: Layer, on: Scale | None, opacity: float) -> RGB | None:
    """A map over the picture; None where there is no map."""
    if shown.heat is None or on is None:
        return None
    return overlay(picture, shown.heat, opacity=opacity, value_range=on.range, signed=on.signed)
