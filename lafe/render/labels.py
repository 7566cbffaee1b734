"""Words for things: sides, kinds, maps, terms of a logit, branches, settings.

One name for each, in the app, in figures, and in what people take away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lafe.branches import PRESETS, Switches

MINUS = "\N{MINUS SIGN}"
LETTERS = "ABCDEFGH"
"""Letters of panels, in their order."""


class Side(NamedTuple):
    """The words for a side.

    Attributes:
        name: as a heading.
        sign: with which its features enter F_5.
        verb: what happens to its features.
        meaning: what it looks for.
        letter: of its features after fusion.
    """

    name: str
    sign: str
    verb: str
    meaning: str
    letter: str

    @property
    def term(self) -> str:
        """The side's part of F_5."""
        return f"{self.sign}{self.letter}"

    @property
    def sentence(self) -> str:
        """The side in two sentences."""
        return f"What {self.meaning}. Its features {self.letter} are {self.verb}."


SIDES = {
    "dis": Side("Discriminative", "+", "added", "sets a class apart", "D"),
    "con": Side("Confusable", MINUS, "subtracted", "a class shares with its look-alikes", "C"),
}
KINDS = {"r": "Region", "c": "Channel"}
BACKBONE = "f₅"

MAPS = {"final": "Final F₅"} | {key: f"{s.name} {s.letter}" for key, s in SIDES.items()}
"""The three maps of the paper's Figure 5, in its order."""

TERMS = {"bias": "Bias", "backbone": f"Backbone {BACKBONE}"} | {
    key: f"{side.name} {side.term}" for key, side in SIDES.items()
}
"""The terms of a logit."""

SHORT_TERMS = {"bias": "bias", "backbone": BACKBONE} | {key: s.term for key, s in SIDES.items()}


WITHOUT = {
    "full": "with all branches on",
    "no confusable": "without the confusable branches",
    "no discriminative": "without the discriminative branches",
    "no region": "without the region branches",
    "no channel": "without the channel branches",
    "stage 5 only": "with the branches of stage 5 alone",
    "plain backbone": "without any branch",
}
"""Presets, in a sentence."""


def listed(switches: Switches) -> str:
    """The branches of a setting, in a sentence."""
    names = list(map(str, switches))
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def stand_ins(branches: Mapping[str, Switches]) -> str:
    """Gates that are not as learned, by what stands in for them."""
    return ", ".join(f"{mode} {on}" for mode, on in branches.items())


def setting(switches: Switches) -> str:
    """A preset's name, or what is on or, if that is shorter, off."""
    for name, preset in PRESETS.items():
        if preset == switches:
            return name
    off = Switches.from_index(Switches.all().index & ~switches.index)
    return str(switches) if len(switches) <= len(off) else f"all but {off}"
