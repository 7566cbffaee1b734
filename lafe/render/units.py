"""Units in which people read a table of settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        digits: after the point.
    """

    output: str
    name: str
    factor: int
    digits: int

    def of(self, value: float) -> float:
        """An output, in the unit."""
        return self.factor * value

    def text(self, value: float) -> str:
        """An output as people read it, without the unit's name."""
        return number(self.of(value), f"+.{self.digits}f")

    def is_nothing(self, value: float) -> bool:
        """True of an output that is printed as zero."""
        return round(self.of(value), self.digits) == 0

    def reach(self, values: Iterable[float]) -> float:
        """The end of a scale for outputs, in the unit; ten times what can be printed, or more.

        So the strongest colour and the longest bar are never about a rounding.
        """
        return max([10.0 ** (1 - self.digits), *(abs(self.of(v)) for v in values)])


UNITS = {
    "probability": Unit("Probability", "points", 100, 1),
    "centred": Unit("Centred logit", "logit", 1, 2),
    "logit": Unit("Raw logit", "logit", 1, 2),
}
"""Units by output of a table (``lafe.explain.ablation.OUTPUTS``)."""


def flip_text(flip: Flip, classes: Sequence[str]) -> str:
    """A flip as a sentence."""
    return (
        f"Without {listed(flip.off)} this becomes {classes[flip.prediction]} "
        f"({percent(flip.probability)})."
    )
