"""The species of PartBirds: genera of four, whose parts are all shared but one or two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType

from lafe.data.dataset import DataError
from lafe.data.partbirds.looks import PARTS, Look, require_look


@dataclass(frozen=True)
class BirdClass:
    """A species.

    Args:
        name: species and genus, as people write it.
        genus: the genus, whose name ends the species' name.
        parts: how each of `PARTS` looks.

    Raises:
        DataError: a part cannot look so, or one is missing.
    """

    name: str
    genus: str
    parts: Mapping[str, Look] = field(hash=False)

    def __post_init__(self) -> None:
        if set(self.parts) != set(PARTS):
            raise DataError(f"A bird should have the parts {', '.join(PARTS)}, each with a look.")
        for part in PARTS:
            require_look(part, self.parts[part])
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))


@dataclass(frozen=True)
class Change:
    """The difference of two species of a genus from the other two."""

    adjective: str
    part: str
    look: Look


def _genus(name: str, first: Change, second: Change, **parts: Look) -> tuple[BirdClass, ...]:
    """Four species: neither change, the first, the second, both."""
    adjectives = ("Common", second.adjective, first.adjective, "Painted")
    return tuple(
        BirdClass(
            f"{adjective} {name}",
            name,
            parts | {c.part: c.look for c, on in ((first, one), (second, two)) if on},
        )
        for adjective, (one, two) in zip(adjectives, product((0, 1), (0, 1)), strict=True)
    )


CLASSES: tuple[BirdClass, ...] = (
    *_genus(
        "Reedling",
        Change("Black-capped", "crown", Look("cap", "black")),
        Change("Fork-tailed", "tail", Look("forked", "chestnut")),
        beak=Look("needle", "black"),
        eye=Look("bead", "gold"),
        crown=Look("cap", "grey"),
        throat=Look("bib", "cream"),
        breast=Look("full", "sand", "streaked", "chestnut"),
        wing=Look("pointed", "chestnut", "barred", "cream"),
        tail=Look("wedge", "chestnut"),
        legs=Look("slender", "sand"),
    ),
    *_genus(
        "Emberchat",
        Change("Violet-throated", "throat", Look("gorget", "violet")),
        Change("Hook-billed", "beak", Look("hooked", "black")),
        beak=Look("dagger", "black"),
        eye=Look("browed", "cream"),
        crown=Look("cap", "grey"),
        throat=Look("gorget", "rose"),
        breast=Look("belly", "cream"),
        wing=Look("rounded", "grey", "tipped", "black"),
        tail=Look("fan", "orange", "tipped", "black"),
        legs=Look("slender", "black"),
    ),
    *_genus(
        "Tidewren",
        Change("Blue-footed", "legs", Look("webbed", "blue")),
        Change("Bar-winged", "wing", Look("long", "teal", "barred", "sky")),
        beak=Look("curved", "orange"),
        eye=Look("ringed", "cream"),
        crown=Look("stripe", "teal"),
        throat=Look("chin", "cream"),
        breast=Look("vest", "sky"),
        wing=Look("long", "teal"),
        tail=Look("square", "teal", "tipped", "cream"),
        legs=Look("webbed", "sky"),
    ),
    *_genus(
        "Lanternbill",
        Change("Masked", "eye", Look("masked", "black")),
        Change("Spot-breasted", "breast", Look("full", "rose", "spotted", "coral")),
        beak=Look("spoon", "gold"),
        eye=Look("browed", "black"),
        crown=Look("crest", "violet"),
        throat=Look("collar", "gold"),
        breast=Look("full", "rose"),
        wing=Look("rounded", "violet"),
        tail=Look("streamers", "violet"),
        legs=Look("stout", "gold"),
    ),
    *_genus(
        "Mossfinch",
        Change("Plumed", "crown", Look("plume", "green")),
        Change("Star-winged", "wing", Look("pointed", "green", "spotted", "lime")),
        beak=Look("cone", "gold"),
        eye=Look("ringed", "ruby"),
        crown=Look("tuft", "green"),
        throat=Look("moustache", "black"),
        breast=Look("belly", "lime"),
        wing=Look("pointed", "green"),
        tail=Look("forked", "green", "edged", "gold"),
        legs=Look("booted", "sand"),
    ),
    *_genus(
        "Cloudlark",
        Change("Gold-billed", "beak", Look("hooked", "gold")),
        Change("Speckle-throated", "throat", Look("bib", "blue", "spotted", "sky")),
        beak=Look("hooked", "orange"),
        eye=Look("bead", "sky"),
        crown=Look("plume", "blue"),
        throat=Look("bib", "blue"),
        breast=Look("vest", "cream", "scaled", "blue"),
        wing=Look("long", "sky", "panelled", "cream"),
        tail=Look("fan", "blue"),
        legs=Look("booted", "cream"),
    ),
)


def differing(a: BirdClass, b: BirdClass) -> tuple[str, ...]:
    """The parts that look different."""
    return tuple(part for part in PARTS if a.parts[part] != b.parts[part])


def shared(a: BirdClass, b: BirdClass) -> tuple[str, ...]:
    """The parts that look the same."""
    return tuple(part for part in PARTS if a.parts[part] == b.parts[part])
