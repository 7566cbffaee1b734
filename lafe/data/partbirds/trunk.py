"""Body, breast, wing, tail and legs.

Body and breast have the body's frame: its origin in the middle, x towards the breast, y down; half
the body is 1.  Those of wing and tail have the same unit, and x runs from shoulder or rump to the
tip.  The legs' x runs from the hip to the foot, which is at 1.
"""

from itertools import pairwise

import numpy as np

from lafe.data.partbirds.canvas import Colour, Drawing, Mark, darker
from lafe.data.partbirds.geometry import (
    Frame,
    Outline,
    arc,
    curve,
    moved,
    place,
    ribbon,
    rotation,
    spline,
)
from lafe.data.partbirds.looks import Look
from lafe.data.partbirds.patterns import pattern

# fmt: off
BREASTS = {
    "full": [(1.3, -0.3), (0.72, -0.12), (0.42, 0.1), (-0.2, 0.3), (-0.95, 0.16), (-0.9, 0.6),
             (0.0, 0.9), (1.1, 0.7)],
    "vest": [(1.3, -0.4), (0.66, -0.3), (0.4, 0.0), (0.44, 0.34), (0.66, 0.62), (1.3, 0.4)],
    "belly": [(0.95, 0.22), (0.5, 0.16), (-0.2, 0.26), (-0.95, 0.1), (-0.9, 0.6), (0.0, 0.9),
              (0.9, 0.7)],
}

WINGS = {
    "pointed": [(-0.02, -0.08), (0.3, -0.22), (0.85, -0.14), (1.5, 0.1), (0.95, 0.3), (0.4, 0.38),
                (0.05, 0.2)],
    "rounded": [(-0.02, -0.06), (0.3, -0.24), (0.85, -0.2), (1.14, 0.06), (0.95, 0.36),
                (0.45, 0.46), (0.05, 0.24)],
    "long": [(-0.02, -0.06), (0.3, -0.18), (0.95, -0.1), (1.85, 0.12), (1.2, 0.24), (0.45, 0.32),
             (0.05, 0.18)],
}
# fmt: on

TAILS = {  # how far five feathers reach, how far aside the outer ones end, how broad they are
    "square": ((0.95, 0.98, 0.98, 0.98, 0.95), 0.17, 0.1),
    "forked": ((1.25, 1.0, 0.78, 1.0, 1.25), 0.25, 0.11),
    "wedge": ((0.75, 0.98, 1.15, 0.98, 0.75), 0.17, 0.1),
    "fan": ((0.86, 0.96, 1.0, 0.96, 0.86), 0.5, 0.14),
    "streamers": ((0.66, 1.42, 0.7, 1.42, 0.66), 0.2, 0.055),
}

LEGS = {"slender": 0.07, "stout": 0.15, "webbed": 0.1, "booted": 0.1}  # how thick
WEB = [(0.86, -0.02), (1.0, 0.46), (1.05, 0.3), (1.12, 0.32), (1.1, 0.12), (1.14, -0.05), (1, -0.2)]
BOOT = [(-0.1, -0.26), (0.3, -0.24), (0.72, -0.13), (0.76, 0.12), (0.3, 0.26), (-0.1, 0.26)]


def body(colour: Colour, head: Frame) -> Drawing:
    """Head and trunk in one, of one plumage, without the parts that have looks of their own.

    Args:
        colour: of the plumage.
        head: the frame of the head, in coordinates of the body.
    """
    brow = place(head, arc(1, 10, -115, 5))
    nape, chin = place(head, np.vstack([arc(1, -160, -160, 1), arc(1, 32, 32, 1)]))
    breast = np.array((0.84, 0.27))
    return Drawing(
        [
            spline(
                np.vstack(
                    [
                        brow,
                        nape,
                        0.5 * nape + (0.08, -0.22),
                        [(-0.1, -0.43), (-0.6, -0.27), (-1.0, -0.08), (-1.1, 0.03), (-1.0, 0.12)],
                        [(-0.6, 0.36), (-0.1, 0.54), (0.4, 0.54)],
                        breast,
                        0.5 * (chin + breast) - (0.03, 0),
                        chin,
                    ]
                )
            )
        ],
        colour,
    )


def breast(look: Look) -> Drawing:
    """The under side; the body's outline cuts it off."""
    marks = pattern(look, (-1, 1.2, -0.4, 0.7), 0.17)
    return Drawing([spline(BREASTS[look.shape])], look.rgb, marks, relief=0.5)


def wing(look: Look) -> Drawing:
    """A folded wing: long feathers below rows of short ones."""
    colour = look.rgb
    outline = WINGS[look.shape]
    tip = max(x for x, _ in outline)
    dark_end = np.array([(0.62 * tip, -1), (2, -1), (2, 1), (0.78 * tip, 1)])
    short = rotation(12, arc(0.2, -70, 70, 7) * (0.45, 0.3))
    rows = [
        ribbon(moved(short, (x, y)), 0.018)
        for x in (0.2, 0.36, 0.52)
        for y in (-0.1, 0.02, 0.14, 0.26)
    ]
    long_feathers = [
        ribbon(
            curve([(0.42 + 0.02 * k, 0.3 - 0.1 * k), (0.8 * tip, 0.24 - 0.085 * k),
                   (tip, 0.14 - 0.03 * k)]),
            (0.012, 0.02, 0.008),
        )
        for k in range(5)
    ]  # fmt: skip
    if look.pattern == "barred":  # two bars across the short feathers, as on many real wings
        bars = [ribbon(curve([(x - 0.05, -0.3), (x + 0.04, 0.06), (x - 0.02, 0.5)]), 0.075)
                for x in (0.38, 0.62)]  # fmt: skip
        marks: tuple[Mark, ...] = (Mark(bars, look.ink_rgb),)
    else:
        marks = pattern(look, (0.05, tip, -0.25, 0.45), 0.19)
    return Drawing(
        [spline(outline)],
        colour,
        (
            Mark([dark_end], darker(colour, 0.22)),
            Mark(rows, darker(colour, 0.35), 0.7),
            *marks,
            Mark(long_feathers, darker(colour, 0.45), 0.8),
        ),
    )


def tail(look: Look) -> Drawing:
    """A fan of feathers, more or less closed."""
    reaches, aside, width = TAILS[look.shape]
    tips = [(reach, aside * k / 2) for k, reach in enumerate(reaches, start=-2)]
    feathers = [_feather(*tip, width) for tip in tips]
    shafts = [ribbon([(0.05, 0.2 * y), (0.92 * x, 0.95 * y)], (0.008, 0.016)) for x, y in tips]
    colour = look.rgb
    if look.pattern == "edged":
        marks: tuple[Mark, ...] = (Mark([feathers[0], feathers[-1]], look.ink_rgb),)
    else:
        marks = pattern(look, (0.1, max(reaches), -0.6, 0.6), 0.24)
    return Drawing(feathers, colour, (*marks, Mark(shafts, darker(colour, 0.4), 0.7)))


def _feather(reach: float, aside: float, width: float) -> Outline:
    line = curve([(-0.12, 0.25 * aside), (0.4 * reach, 0.55 * aside), (reach, aside)])
    return ribbon(line, (0.1, 1.6 * width, 1.7 * width, 1.2 * width))


def legs(look: Look) -> Drawing:
    """One leg with its foot on the ground."""
    thick = LEGS[look.shape]
    colour = look.rgb
    toes = [
        ribbon(curve(line), (thick, 0.8 * thick, 0.4 * thick))
        for line in (
            [(0.93, 0.0), (0.96, 0.16), (1.05, 0.34)],
            [(0.93, 0.0), (1.02, 0.12), (1.12, 0.22)],
            [(0.93, 0.0), (0.97, -0.1), (1.06, -0.2)],
        )
    ]
    shank = ribbon([(0.0, -0.05), (0.5, -0.02), (0.98, 0.0)], (1.3 * thick, thick, thick))
    marks = pattern(look, (0.45, 0.98, -0.3, 0.3), 0.2)
    match look.shape:
        case "webbed":
            between = Mark(
                [ribbon(line, 0.025) for line in pairwise(WEB[::2])], darker(colour, 0.3)
            )
            return Drawing([shank, *toes, np.array(WEB)], colour, (*marks, between), relief=0.5)
        case "booted":
            return Drawing([shank, *toes, spline(BOOT)], colour, marks, relief=0.5)
        case _:
            return Drawing([shank, *toes], colour, marks, relief=0.5)
