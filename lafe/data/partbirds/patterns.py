"""Marks that a part carries, laid out in a box of the part's own coordinates; x runs along it."""

from collections.abc import Iterator

import numpy as np

from lafe.data.partbirds.canvas import Mark
from lafe.data.partbirds.geometry import Outline, arc, ellipse, moved, rectangle, ribbon
from lafe.data.partbirds.looks import Look

Box = tuple[float, float, float, float]
"""x from, x to, y from, y to."""


def pattern(look: Look, box: Box, step: float) -> tuple[Mark, ...]:
    """The marks of a look's pattern, about `step` apart; none if it is plain."""
    if look.ink is None:
        return ()
    return (Mark(_outlines(look.pattern, box, step), look.ink_rgb),)


def _outlines(name: str, box: Box, step: float) -> list[Outline]:
    x0, x1, y0, y1 = box
    length, middle, height = x1 - x0, (y0 + y1) / 2, y1 - y0
    match name:
        case "barred":
            bend = np.linspace(-1, 1, 7)
            bar = np.stack([-0.125 * height * bend**2, middle + height / 2 * bend], axis=1)
            return [
                ribbon(moved(bar, (x, 0)), 0.42 * step) for x in np.arange(x0 + step / 2, x1, step)
            ]
        case "streaked":
            streak = ribbon(
                np.array([(-0.38, 0), (0, 0), (0.38, 0)]) * step, (0.02, 0.3 * step, 0.02)
            )
            return [moved(streak, at) for at in _lattice(box, step, 0.62 * step)]
        case "spotted":
            spot = ellipse(0, 0, 0.25 * step, 0.25 * step, sides=12)
            return [moved(spot, at) for at in _lattice(box, step, 0.75 * step)]
        case "scaled":
            scale = ribbon(arc(0.5 * step, -80, 80, 7), 0.17 * step)
            return [moved(scale, at) for at in _lattice(box, 0.7 * step, step)]
        case "tipped":
            return [rectangle(x0 + 0.66 * length, x1 + step, y0, y1)]
        case "banded":
            return [rectangle(x0 + 0.33 * length, x0 + 0.63 * length, y0, y1)]
        case "panelled":
            return [ellipse(x0 + 0.5 * length, middle, 0.26 * length, 0.2 * height)]
        case _:
            raise ValueError(f"No pattern {name!r}.")


def _lattice(box: Box, dx: float, dy: float) -> Iterator[tuple[float, float]]:
    """Rows of places, every other row moved by half a step."""
    x0, x1, y0, y1 = box
    for row, y in enumerate(np.arange(y0 + dy / 2, y1, dy)):
        for x in np.arange(x0 + dx * (0.5 + 0.5 * (row % 2)), x1, dx):
            yield float(x), float(y)
