"""The looks of a part: a shape, a colour, a pattern and the pattern's colour."""

from dataclasses import dataclass

import numpy as np

from lafe.data.dataset import DataError

PARTS = ("beak", "eye", "crown", "throat", "breast", "wing", "tail", "legs")

COLOURS = {
    "ruby": (196, 44, 52),
    "coral": (232, 112, 88),
    "orange": (234, 140, 44),
    "gold": (244, 196, 66),
    "lime": (164, 190, 70),
    "green": (70, 138, 84),
    "teal": (38, 132, 138),
    "sky": (104, 176, 224),
    "blue": (48, 92, 176),
    "violet": (122, 84, 170),
    "rose": (226, 132, 160),
    "chestnut": (134, 72, 44),
    "sand": (214, 178, 128),
    "cream": (246, 236, 212),
    "grey": (142, 148, 156),
    "black": (44, 44, 52),
}

SHAPES = {
    "beak": ("cone", "needle", "hooked", "dagger", "curved", "spoon"),
    "eye": ("bead", "ringed", "masked", "browed"),
    "crown": ("cap", "stripe", "crest", "tuft", "plume"),
    "throat": ("chin", "bib", "gorget", "collar", "moustache"),
    "breast": ("full", "vest", "belly"),
    "wing": ("pointed", "rounded", "long"),
    "tail": ("square", "forked", "wedge", "fan", "streamers"),
    "legs": ("slender", "stout", "webbed", "booted"),
}

PATTERNS = {
    "beak": ("plain", "tipped", "banded"),
    "eye": ("plain",),
    "crown": ("plain", "tipped", "streaked", "spotted"),
    "throat": ("plain", "spotted", "barred"),
    "breast": ("plain", "spotted", "barred", "streaked", "scaled"),
    "wing": ("plain", "barred", "spotted", "tipped", "scaled", "panelled"),
    "tail": ("plain", "barred", "tipped", "edged"),
    "legs": ("plain", "banded"),
}


@dataclass(frozen=True)
class Look:
    """The look of one part of a bird.

    Args:
        shape: one of `SHAPES` of the part.
        colour: a name in `COLOURS`.
        pattern: one of `PATTERNS` of the part.
        ink: the pattern's colour, a name in `COLOURS`; a plain part has none.

    Raises:
        DataError: a colour is unknown, a pattern lacks its colour, or a plain part has one.
    """

    shape: str
    colour: str
    pattern: str = "plain"
    ink: str | None = None

    def __post_init__(self) -> None:
        for name in (self.colour, self.ink):
            if name is not None and name not in COLOURS:
                raise DataError(f"There is no colour {name!r}; choose one of {', '.join(COLOURS)}.")
        if (self.pattern == "plain") != (self.ink is None):
            raise DataError(
                f"A {self.pattern} part {'needs no' if self.ink else 'needs an'} ink; "
                "give one to each pattern but plain."
            )

    @property
    def rgb(self) -> np.ndarray:
        """(3,) red, green, blue of the colour, from 0 to 1."""
        return np.array(COLOURS[self.colour]) / 255

    @property
    def ink_rgb(self) -> np.ndarray:
        """(3,) red, green, blue of the ink or, without one, of the colour."""
        return np.array(COLOURS[self.ink or self.colour]) / 255

    def __str__(self) -> str:
        pattern = "" if self.ink is None else f", {self.pattern} with {self.ink}"
        return f"{self.shape}, {self.colour}{pattern}"


def require_look(part: str, look: Look) -> None:
    """Check that `part` can look so.

    Raises:
        DataError: there is no such part, or the part has no such shape or pattern.
    """
    require_part(part)
    for what, value, known in (
        ("shape", look.shape, SHAPES[part]),
        ("pattern", look.pattern, PATTERNS[part]),
    ):
        if value not in known:
            raise DataError(
                f"No {part} has the {what} {value!r}; choose one of {', '.join(known)}."
            )


def require_part(part: str) -> None:
    """Check that a bird has `part`.

    Raises:
        DataError: it has not.
    """
    if part not in PARTS:
        raise DataError(f"A bird has no part {part!r}; choose one of {', '.join(PARTS)}.")
