"""The vocabulary of everything else: stages, branches, and which of them are on."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STAGES = (3, 4, 5)
"""Stages of the backbone that carry branches: strides 8, 16 and 32."""

BRANCHES = ("r_dis", "r_con", "c_dis", "c_con")
"""Region or channel attention, discriminative or confusable (Sec. 3.1)."""

ATTRIBUTES = {"dis": ("r_dis", "c_dis"), "con": ("r_con", "c_con")}
"""The branches that are summed to one attribute (Eq. 1 and 2)."""

_ALL = (1 << len(STAGES) * len(BRANCHES)) - 1
_TOKEN = re.compile(r"(r_dis|r_con|c_dis|c_con)([345]+)")


def _bit(stage: int, branch: str) -> int:
    if stage not in STAGES:
        raise ValueError(f"There is no stage {stage!r}: stages are {STAGES}.")
    if branch not in BRANCHES:
        raise ValueError(f"There is no branch {branch!r}: branches are {', '.join(BRANCHES)}.")
    return 1 << (len(BRANCHES) * (stage - STAGES[0]) + BRANCHES.index(branch))


def _mask(branches: Iterable[str], stages: Iterable[int]) -> int:
    names = tuple(branches)
    return sum(_bit(stage, branch) for stage in set(stages) for branch in set(names))


@dataclass(frozen=True, order=True)
class Switches:
    """Which of the 12 branches are on.  Immutable and hashable.

    ``index`` is a mask from 0 to 4095: bit ``4 * (stage - 3) + place in BRANCHES``, set = on.

    >>> str(Switches.all().without("r_con", "c_con"))
    'r_dis345.c_dis345'
    >>> Switches.parse("c_dis5")[5, "c_dis"]
    True
    """

    index: int

    def __post_init__(self) -> None:
        if not isinstance(self.index, int) or not 0 <= self.index <= _ALL:
            raise ValueError(f"A setting's index is a whole number from 0 to {_ALL}.")

    @classmethod
    def from_index(cls, index: int) -> Switches:
        """The setting whose mask is ``index``; ValueError outside 0 to 4095."""
        return cls(operator.index(index))  # NumPy's integers too

    @classmethod
    def all(cls) -> Switches:
        return cls(_ALL)

    @classmethod
    def none(cls) -> Switches:
        return cls(0)

    @classmethod
    def only(cls, *branches: str, stages: Iterable[int] = STAGES) -> Switches:
        """These branches on at these stages, all else off; ValueError for an unknown name."""
        return cls(_mask(branches, stages))

    def without(self, *branches: str, stages: Iterable[int] = STAGES) -> Switches:
        """The same setting with these branches off at these stages."""
        return Switches(self.index & ~_mask(branches, stages))

    def toggled(self, stage: int, branch: str) -> Switches:
        """The same setting with one branch flipped."""
        return Switches(self.index ^ _bit(stage, branch))

    def __getitem__(self, key: tuple[int, str]) -> bool:
        return bool(self.index & _bit(*key))

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """The (stage, branch) pairs that are on, in the order of STAGES and BRANCHES."""
        return (key for key in EVERY_BRANCH if self[key])

    def __len__(self) -> int:
        """How many branches are on."""
        return self.index.bit_count()

    def __bool__(self) -> bool:
        return True  # none() is a setting too: "chosen or default" keeps it

    def __str__(self) -> str:
        """Short and readable, safe in URLs and file names; ``parse`` reads it back."""
        if self.index in (0, _ALL):
            return "all" if self.index else "none"
        stages = {b: "".join(str(s) for s in STAGES if self[s, b]) for b in BRANCHES}
        return ".".join(f"{branch}{on}" for branch, on in stages.items() if on)

    @classmethod
    def parse(cls, text: str) -> Switches:
        """Read ``str(switches)``, or a preset's name; ValueError says what was expected."""
        clean = text.strip().lower()
        if clean in ("all", "none"):
            return cls.all() if clean == "all" else cls.none()
        preset = clean.replace("-", " ").replace("_", " ")
        if preset in PRESETS:
            return PRESETS[preset]
        on = cls.none()
        for token in re.split(r"[\s.,+]+", clean):
            match = _TOKEN.fullmatch(token)
            if match is None:
                raise ValueError(
                    f"{text!r} is no setting of the switches: write 'all', 'none', a preset "
                    f"({', '.join(PRESETS)}) or branches with their stages, like "
                    "'r_dis345.c_dis5'."
                )
            on = cls(on.index | _mask([match[1]], map(int, match[2])))
        return on


EVERY_BRANCH = tuple((stage, branch) for stage in STAGES for branch in BRANCHES)
"""The twelve (stage, branch) pairs, in the order of the bits of ``Switches.index``."""

FULL = Switches.all()

PRESETS: dict[str, Switches] = {
    "full": FULL,
    "no confusable": Switches.all().without("r_con", "c_con"),
    "no discriminative": Switches.all().without("r_dis", "c_dis"),
    "no region": Switches.all().without("r_dis", "r_con"),
    "no channel": Switches.all().without("c_dis", "c_con"),
    "stage 5 only": Switches.only(*BRANCHES, stages=(5,)),
    "plain backbone": Switches.none(),
}
"""The named settings, listed once: for the app, the command line and the reports."""
