"""The weights of a channel gate as sorted bars."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lafe.render.palette import CON_DARK, DIS
from lafe.render.text import number

BARS = 160
"""The most bars that are drawn: of more channels, the mean of neighbours in the order."""

_WIDTH, _HEIGHT = 320, 200


class Bars(NamedTuple):
    """A picture of bars as SVG, and what it shows in words."""

    svg: str
    words: str


def sorted_bars(weights: ArrayLike, side: str, title: str) -> Bars:
    """Draw weights, highest first, from zero to the highest.

    Args:
        weights: of the channels, (C,), none below zero.
        side: ``"dis"`` or ``"con"``, for the colour.
        title: what they are.
    """
    order = -np.sort(-np.asarray(weights, float).ravel())
    bars = [float(part.mean()) for part in np.array_split(order, min(BARS, len(order)))]
    top = max(order[0], 1e-12)
    width = _WIDTH / len(bars)
    colour = DIS if side == "dis" else CON_DARK
    drawn = "".join(
        f'<rect x="{i * width:.2f}" y="{_HEIGHT * (1 - bar / top):.2f}" '
        f'width="{width + 0.05:.2f}" height="{_HEIGHT * bar / top:.2f}"/>'
        for i, bar in enumerate(bars)
    )
    ends = f"{number(float(order[0]))} to {number(float(order[-1]))}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'preserveAspectRatio="none">'
        f'<g fill="{colour}">{drawn}</g></svg>'
    )
    return Bars(svg, f"{title}: {len(order)} channels, sorted, {ends}")
