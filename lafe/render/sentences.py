"""Results in words, from their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from lafe.explain.answer import Answer
from lafe.explain.levels import Level
from lafe.explain.parts import PartEvidence
from lafe.render.labels import WITHOUT
from lafe.render.names import spelled
from lafe.render.text import number, percent


def headline(found: Answer, classes: Sequence[str]) -> str:
    """The likeliest class; of a photo that looks like none, the nearest."""
    name = spelled(classes[found.label])
    return name if found.familiar else f"No match; nearest: {name}"


def why(found: Answer, classes: Sequence[str]) -> str:
    """One sentence: how sure, before which other class, and what would change the answer."""
    name = spelled(classes[found.label])
    if found.next_label is None or found.next_probability is None:
        return f"{name}, the only class that this model knows."
    other = spelled(classes[found.next_label])
    parts = [
        f"{name} with {percent(found.probability)}, before {other} with "
        f"{percent(found.next_probability)}"
    ]
    if found.turn is None:
        parts.append("no preset that takes branches away changes that")
    else:
        parts.append(
            f"{WITHOUT[found.turn.preset]} it becomes {spelled(classes[found.turn.label])} "
            f"({percent(found.turn.probability)})"
        )
    return "; ".join(parts) + "."


def surely(found: Level) -> str:
    """A coarser group that is sure where the class is not."""
    return f"The {found.level} is surer: {spelled(found.name)}, {percent(found.probability)}."


NAMED = 4
"""Parts that a sentence names."""


def by_part(found: PartEvidence) -> str:
    """The parts on which evidence lies, the largest shares first: "throat 41%, wing 22%"."""
    names = sorted(found.parts, key=lambda part: -abs(found.parts[part]))[:NAMED]
    names.sort(key=lambda part: -found.share(part))
    return ", ".join(f"{name} {number(100 * found.share(name), '.0f')}%" for name in names)
