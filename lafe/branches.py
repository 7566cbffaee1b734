"""The vocabulary of everything else: stages, branches, and which of them are on."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STAGES = (3, 4, 5)
"""Stages of the backbone that carry branches: strides 8, 16 and 32."""

KINDS = {"r": "region", "c": "channel"}
"""The kinds of branches, by what their gates weight (Sec. 3.2)."""

SIDES = {"dis": "discriminative", "con": "confusable"}
"""The sides (Sec. 3.1): ``D`` adds up the branches of one, ``C`` those of the other."""


def branch_name(kind: str, side: str) -> str:
    """``"r"`` and ``"dis"`` -> ``"r_dis"``, the branches of that name at all stages."""
    return f"{kind}_{side}"


BRANCHES = tuple(branch_name(kind, side) for kind in KINDS for side in SIDES)
"""The names: ``r_dis``, ``r_con``, ``c_dis``, ``c_con``."""


@functools.total_ordering
@dataclass(frozen=True)
class Branch:
    """One of the twelve branches.  Immutable, hashable, in the order of ``Switches.index``.

    Attributes:
        stage: one of ``STAGES``.
        kind: one of ``KINDS``.
        side: one of ``SIDES``.

    Raises:
        ValueError: there is no such branch.

    >>> str(Branch(5, "r", "dis")), Branch.parse("r_dis5").name
    ('r_dis5', 'r_dis')
    """

    stage: int
    kind: str
    side: str

    def __post_init__(self) -> None:
        _check(self.stage, self.name)

    @classmethod
    def of(cls, stage: int | Branch, name: str = "") -> Branch:
        """A stage's branch of a name such as ``"r_dis"``; a branch is itself.

        Raises:
            ValueError: there is no such stage or name.
        """
        if isinstance(stage, Branch):
            return stage
        _check(stage, name)
        return _BY_KEY[stage, name]

    @classmethod
    def parse(cls, text: str) -> Branch:
        """Read ``str(branch)``; ValueError says what was expected."""
        if text not in _BY_TEXT:
            raise ValueError(f"{text!r} is no branch: write one like 'r_dis5'.")
        return _BY_TEXT[text]

    @property
    def name(self) -> str:
        """The name without the stage: ``"r_dis"``."""
        return branch_name(self.kind, self.side)

    @functools.cached_property
    def bit(self) -> int:
        """The branch's bit in ``Switches.index``, 0 to 11."""
        return len(BRANCHES) * STAGES.index(self.stage) + BRANCHES.index(self.name)

    def __lt__(self, other: Branch) -> bool:
        return self.bit < other.bit

    def __str__(self) -> str:
        return f"{self.name}{self.stage}"


def _check(stage: int, name: str) -> None:
    if stage not in STAGES:
        raise ValueError(f"There is no stage {stage!r}: stages are {STAGES}.")
    if name not in BRANCHES:
        raise ValueError(f"There is no branch {name!r}: branches are {', '.join(BRANCHES)}.")


EVERY_BRANCH = tuple(Branch(stage, k, s) for stage in STAGES for k in KINDS for s in SIDES)
"""The twelve branches, in the order of the bits of ``Switches.index``."""

_BY_KEY = {(branch.stage, branch.name): branch for branch in EVERY_BRANCH}
_BY_TEXT = {str(branch): branch for branch in EVERY_BRANCH}
_ALL = (1 << len(EVERY_BRANCH)) - 1
_TOKEN = re.compile(rf"({'|'.join(BRANCHES)})([{''.join(map(str, STAGES))}]+)")


def _mask(branches: Iterable[str | Branch], stages: Iterable[int] = STAGES) -> int:
    stages, mask = tuple(stages), 0
    for branch in branches:
        for each in [branch] if isinstance(branch, Branch) else [(s, branch) for s in stages]:
            mask |= 1 << _at(each).bit
    return mask


Key = Branch | tuple[int, str]
"""A branch: itself, or its stage and name."""


def _at(key: Key) -> Branch:
    return key if isinstance(key, Branch) else Branch.of(*key)


@dataclass(frozen=True, order=True)
class Switches:
    """A setting: the branches that are on, of the twelve.  Immutable and hashable.

    ``index`` is a mask from 0 to 4095: bit ``4 * (stage - 3) + place in BRANCHES``, set = on.
    Where branches are asked for, a name such as ``"r_dis"`` is those at the given stages, and a
    :class:`Branch` is that one.

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
    def only(cls, *branches: str | Branch, stages: Iterable[int] = STAGES) -> Switches:
        """The setting with these branches alone; ValueError for an unknown name or stage."""
        return cls(_mask(branches, stages))

    def without(self, *branches: str | Branch, stages: Iterable[int] = STAGES) -> Switches:
        """The same setting with these branches off."""
        return Switches(self.index & ~_mask(branches, stages))

    def toggled(self, stage: int | Branch, name: str = "") -> Switches:
        """The same setting with one branch, ``(5, "r_dis")`` or itself, flipped."""
        return Switches(self.index ^ 1 << Branch.of(stage, name).bit)

    def side(self, side: str) -> Switches:
        """The same setting with the other side's branches off."""
        return self & Switches.only(*(branch for branch in EVERY_BRANCH if branch.side == side))

    def __and__(self, other: Switches) -> Switches:
        """The branches that are on in both."""
        return Switches(self.index & other.index)

    def __getitem__(self, key: Key) -> bool:
        """True if a branch, ``switches[5, "r_dis"]`` or ``switches[branch]``, is on."""
        return bool(self.index >> _at(key).bit & 1)

    def __iter__(self) -> Iterator[Branch]:
        """The branches that are on, in order."""
        return (branch for branch in EVERY_BRANCH if self[branch])

    def __len__(self) -> int:
        """The number of branches that are on."""
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
