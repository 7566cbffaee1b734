"""The maps that can be shown, what they are called, and how they are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from app.models import model as load_model
from app.session import FUSED_LAYERS, Photo
from lafe.branches import ATTRIBUTES, STAGES, Switches
from lafe.overlay import RGB, Map, Range, map_of, overlay, value_range
from lafe.photo import crop
from lafe.prepare import Prepared

NAMES = {"final": "Final", "dis": "Discriminative", "con": "Confusable"}
SYMBOLS = {"final": "F₅", "dis": "D", "con": "C"}

VIEW_SIDE = 640
"""Longest side in px of the pictures that are painted."""


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


def layer(prepared: Prepared, switches: Switches, key: str) -> Layer:
    """One of ``LAYERS`` under a setting, as the mean over its channels."""
    if key in FUSED_LAYERS:
        fused = prepared.fused(switches)
        features = {"final": fused.F5, "dis": fused.D, "con": fused.C}[key]
        on = key == "final" or any(b in ATTRIBUTES[key] for _, b in switches)
    else:
        branch, stage = key[:-1], int(key[-1])
        features = prepared.branch_map(stage, branch)
        on = switches[stage, branch]
    return Layer(name(key), map_of(features) if on else None)


def stage_layers(prepared: Prepared, switches: Switches, stage: int) -> list[Layer]:
    """A stage's maps: of each side its two branches, then their sum."""
    layers = []
    for side, total in zip(ATTRIBUTES, prepared.stage_sums(stage, switches), strict=True):
        for branch in ATTRIBUTES[side]:
            features = prepared.branch_map(stage, branch)
            layers.append(Layer(branch, map_of(features) if switches[stage, branch] else None))
        on = any(switches[stage, branch] for branch in ATTRIBUTES[side])
        layers.append(Layer(side, map_of(total) if on else None))
    return layers


def fused_layers(prepared: Prepared, switches: Switches) -> list[Layer]:
    """The backbone's features, D, C, and what they add up to."""
    backbone = Layer("Backbone f₅", map_of(prepared.feature(STAGES[-1])))
    return [backbone, *(layer(prepared, switches, key) for key in ("dis", "con", "final"))]


def scale(layers: Sequence[Layer]) -> Scale | None:
    """One scale for all of these maps, around zero if any of them has negative values."""
    maps = [each.heat for each in layers if each.heat is not None]
    if not maps:
        return None
    signed = any(float(heat.min()) < 0 for heat in maps)
    return Scale(value_range(maps, signed=signed), signed)


def seen(photo: Photo, checkpoint: str) -> Image.Image:
    """The part of a photo that a model sees, in the photo's own proportions."""
    part = crop(photo.image, photo.crop)
    left, top, right, bottom = map(round, load_model(checkpoint).preprocess.view_box(part.size))
    part = part.crop((left, top, right, bottom))
    part.thumbnail((VIEW_SIDE, VIEW_SIDE))
    return part


def painted(picture: Image.Image, shown: Layer, on: Scale | None, opacity: float) -> RGB | None:
    """A map over the picture; None where there is no map."""
    if shown.heat is None or on is None:
        return None
    return overlay(picture, shown.heat, opacity=opacity, value_range=on.range, signed=on.signed)
