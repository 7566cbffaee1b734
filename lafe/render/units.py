"""Units in which people read a table of settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lafe.explain.ablation import Flip
from lafe.render.labels import listed
from lafe.render.text import number, percent


class Unit(NamedTuple):
    """The unit of an output of a table.

    Attributes:
        output: the output, as a heading.
        name: of the unit.
        factor: the output times this is in the unit.
        form: of a format string.
    """

    output: str
    name: str
    factor: int
    form: str

    def of(self, value: float) -> float:
        """An output, in the unit."""
        return self.factor * value

    def text(self, value: float) -> str:
        """An output as people read it, without the unit's name."""
        return number(self.of(value), self.form)


UNITS = {
    "probability": Unit("Probability", "points", 100, "+.1f"),
    "centred": Unit("Centred logit", "logit", 1, "+.2f"),
    "logit": Unit("Raw logit", "logit", 1, "+.2f"),
}
"""Units by output of a table (``lafe.explain.ablation.OUTPUTS``)."""


def flip_text(flip: Flip, classes: Sequence[str]) -> str:
    """A flip as a sentence."""
    return (
        f"Without {listed(flip.off)} this becomes {classes[flip.prediction]} "
        f"({percent(flip.probability)})."
    )
