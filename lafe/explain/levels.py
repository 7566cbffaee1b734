"""The deepest level that is sure: the variant, or at least the family, or the manufacturer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lafe import markup
from lafe.branches import FULL, Switches
from lafe.data.levels import Levels, levels_of
from lafe.errors import LafeError
from lafe.explain.prepare import Prepared

SURE = 0.9


@dataclass(frozen=True)
class Level:
    """The likeliest group of one level, with its probability: the sum of its classes'."""

    level: str
    name: str
    probability: float


@dataclass(frozen=True)
class Depth:
    """The group of a photo at each level, the finest first.

    Attributes:
        levels: from the class to the coarsest group.
        sure: the probability from which on a level is sure.
        calibrated: whether probabilities say how often a level is right.
    """

    levels: tuple[Level, ...]
    sure: float
    calibrated: bool

    @property
    def deepest(self) -> Level | None:
        """The finest level that is sure; None if none is."""
        return next((each for each in self.levels if each.probability >= self.sure), None)

    def _repr_html_(self) -> str:
        """The levels in a notebook."""
        rows = [
            (each.level, each.name, each.probability, "sure" * (each.probability >= self.sure))
            for each in self.levels
        ]
        caption = f"Sure from {self.sure:.4g} on" + ("" if self.calibrated else ", not calibrated")
        return markup.table(caption, ("level", "likeliest", "probability", ""), rows)


def depth(
    photo: Prepared,
    *,
    sure: float = SURE,
    levels: Levels | None = None,
    switches: Switches = FULL,
) -> Depth:
    """The depth in the groups of its classes to which a model says for sure what a photo shows.

    Args:
        photo: as :func:`lafe.prepare` gives it, of a model that was loaded.
        sure: the probability from which on a level is sure, above 0.5 up to 1: so that no two
            groups of a level are.
        levels: by level, the finest first, the group of each class; by default what is known of the
            birds, cars and aircraft of the benchmarks.
        switches: the setting.

    Raises:
        lafe.LafeError: no card, no levels, or levels of another number of classes.
    """
    if not 0.5 < sure <= 1:
        raise LafeError(f"A level is sure from a probability above 0.5 on, up to 1, not {sure}.")
    classes = photo.card.classes
    groups = levels_of(photo.card.data.get("name", ""), classes) if levels is None else levels
    if not groups:
        raise LafeError("Nothing is known of groups of these classes: give `levels`.")
    if wrong := [name for name, group in groups.items() if len(group) != len(classes)]:
        raise LafeError(
            f"The level {wrong[0]!r} needs one group for each of {len(classes)} classes."
        )
    p = photo.probabilities(switches)
    found = [_likeliest("class", classes, p)]
    found += [_likeliest(name, group, p) for name, group in groups.items()]
    return Depth(tuple(found), sure, photo.calibrated)


def _likeliest(level: str, groups: list[str] | tuple[str, ...], p: Tensor) -> Level:
    sums: dict[str, float] = {}
    for group, share in zip(groups, p.tolist(), strict=True):
        sums[group] = sums.get(group, 0.0) + share
    name = max(sums, key=sums.__getitem__)
    return Level(level, name, sums[name])
