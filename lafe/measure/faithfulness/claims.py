"""The places of maps that ask for one class rather than another: on parts that differ, or shared.

The paper claims that D shows what sets classes apart, and C what they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from lafe.explain.attribution.methods import attribute
from lafe.explain.maps import Map
from lafe.explain.prepare import Prepared
from lafe.measure.faithfulness.benchmark import FINENESS
from lafe.measure.faithfulness.curves import at_size, random_map
from lafe.measure.faithfulness.part_rows import Shares
from lafe.measure.faithfulness.parts import Parts
from lafe.measure.faithfulness.places import Mask, centred_blob, energy, without_floor

CONTROLS = ("random", "centre")
CLAIM = ("evidence-dis", "evidence-con", "evidence-backbone", "evidence", "grad-cam-f5", "D", "C")
"""Maps that are asked for one class rather than another; D and C are the same for both."""


class Maps:
    """The maps of a picture at the size of the model's input, each made once."""

    def __init__(self, photo: Prepared, name: str, seed: int) -> None:
        self.photo, self.seed, self._own = photo, seed, seed + crc32(name.encode())
        self._known: dict[tuple[str, int, int | None], Map] = {}

    def of(self, name: str, target: int, versus: int | None = None) -> Map:
        """A method's or a control's map of a class, or of one rather than another."""
        key = name, target, versus
        if key not in self._known:
            self._known[key] = at_size(self._made(*key), self.photo.x.shape[-1])
        return self._known[key]

    def _made(self, name: str, target: int, versus: int | None) -> Map:
        if name == "centre":
            return centred_blob(self.photo.x.shape[-1])
        if name == "random":  # another one for each question, as of who answers by chance
            question = 1000 * target + (0 if versus is None else versus + 1)
            return random_map(self.photo.features[-1].shape[-1], self._own + question)
        return attribute(
            self.photo,
            method=name,
            target=target,
            versus=versus,
            steps=FINENESS.get(name),
            seed=self.seed,
        ).map


def claim(
    maps: Maps,
    masks: Mapping[str, Mask],
    names: Sequence[str],
    target: int,
    rivals: Mapping[int, Parts],
) -> dict[str, Shares]:
    """The places of the maps of one picture, as means over the classes that it is asked against.

    Args:
        maps: of the picture.
        masks: of each part, (S, S); parts that are not in it are not seen.
        names: of the maps.
        target: the picture's class.
        rivals: other classes, each with the parts in which it differs.

    Returns:
        By name of the map, and under ``area`` the area of the parts.
    """
    found: dict[str, list[Shares]] = {}
    for other, differ in rivals.items():
        places = [union(masks, some) for some in (differ & masks.keys(), masks.keys() - differ)]
        found.setdefault("area", []).append(shares([float(m.mean()) for m in places], places))
        for name in names:
            heat = without_floor(maps.of(name, target, other))
            lies = [energy(heat, mask) for mask in places]
            found.setdefault(name, []).append(shares(lies, places))
    return {name: mean_shares(each) for name, each in found.items()}


def union(masks: Mapping[str, Mask], parts: Parts | set[str]) -> Mask:
    """The places of some parts together."""
    nothing = np.zeros_like(next(iter(masks.values())))
    found: Mask = np.logical_or.reduce([nothing, *(masks[part] for part in sorted(parts))])
    return found


def shares(lies: Sequence[float | None], places: Sequence[Mask]) -> Shares:
    """Shares on parts that differ and on others; None where these are hidden."""
    differing, shared = (
        value if mask.any() else None for value, mask in zip(lies, places, strict=True)
    )
    both = None if differing is None or shared is None else differing + shared
    among = differing / both if differing is not None and both else None
    return Shares(differing, shared, among)


def mean_shares(each: Sequence[Shares]) -> Shares:
    """Means of what is known."""

    def one(name: str) -> float | None:
        known = [v for s in each if (v := getattr(s, name)) is not None]
        return float(np.mean(known)) if known else None

    return Shares(one("differing"), one("shared"), one("among"))
