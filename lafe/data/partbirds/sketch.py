"""A bird of one's own: a genus, how each part looks, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from lafe.data.partbirds.classes import CLASSES, BirdClass
from lafe.data.partbirds.looks import PARTS, Look
from lafe.data.partbirds.picture import Picture, draw

GENERA = tuple(dict.fromkeys(bird.genus for bird in CLASSES))


@dataclass(frozen=True)
class Sketch:
    """A bird in a scene.  Equal ones are the same picture.

    Args:
        looks: how each of ``PARTS`` looks, in their order.
        scene_seed: of the scene.
        without: parts that are missing.
    """

    looks: tuple[Look, ...]
    scene_seed: int
    without: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, parts: Mapping[str, Look], scene_seed: int) -> Sketch:
        """A whole bird, from the looks of its parts."""
        return cls(tuple(parts[part] for part in PARTS), scene_seed)

    @property
    def species(self) -> BirdClass | None:
        """The species that looks so when it is whole; None for a bird that is none."""
        parts = dict(zip(PARTS, self.looks, strict=True))
        return next((bird for bird in CLASSES if dict(bird.parts) == parts), None)

    def less(self, *parts: str) -> Sketch:
        """The same bird in the same scene without some parts."""
        return replace(self, without=self.without | frozenset(parts))

    def draw(self, size: int = 448) -> Picture:
        """The picture; equal sketches share one."""
        return _draw(self, size)


@lru_cache(maxsize=64)
def _draw(sketch: Sketch, size: int) -> Picture:
    return draw(
        CLASSES[0],
        sketch.scene_seed,
        size=size,
        without=sorted(sketch.without),
        change=dict(zip(PARTS, sketch.looks, strict=True)),
    )


def species_of(genus: str) -> tuple[BirdClass, ...]:
    """The four species of a genus."""
    return tuple(bird for bird in CLASSES if bird.genus == genus)


def varied(genus: str) -> tuple[str, ...]:
    """The parts in which the species of a genus differ."""
    four = species_of(genus)
    return tuple(part for part in PARTS if len({bird.parts[part] for bird in four}) > 1)


def looks_of(part: str, first: str) -> tuple[Look, ...]:
    """All looks that a part has in some species, those of the genus ``first`` before the others."""
    ordered = sorted(CLASSES, key=lambda bird: bird.genus != first)
    return tuple(dict.fromkeys(bird.parts[part] for bird in ordered))
