"""Beak, eye, crown and throat.

Their frame has its origin in the middle of the head, whose radius is 1, x towards the beak, y down.
"""

import numpy as np

from lafe.data.partbirds.canvas import Drawing, Mark, darker, lighter
from lafe.data.partbirds.geometry import (
    Outline,
    arc,
    curve,
    ellipse,
    rectangle,
    ribbon,
    spline,
)
from lafe.data.partbirds.looks import Look
from lafe.data.partbirds.patterns import pattern

PUPIL = np.array((0.06, 0.05, 0.07))
GLINT = np.array((0.98, 0.98, 0.96))
HAZEL = np.array((0.36, 0.2, 0.1))

# fmt: off
BEAKS = {  # from the forehead to the tip, and from there back to the chin
    "cone": ([(0.72, -0.32), (1.05, -0.22), (1.4, 0.12)], [(1.1, 0.32), (0.72, 0.42)]),
    "needle": ([(0.75, -0.12), (1.3, -0.02), (2.1, 0.1)], [(1.3, 0.17), (0.75, 0.26)]),
    "hooked": ([(0.7, -0.34), (1.15, -0.3), (1.48, 0.02), (1.46, 0.42)],
               [(1.28, 0.22), (1.0, 0.34), (0.7, 0.4)]),
    "dagger": ([(0.7, -0.28), (1.2, -0.14), (1.9, 0.12)], [(1.25, 0.32), (0.7, 0.38)]),
    "curved": ([(0.75, -0.2), (1.3, -0.14), (1.75, 0.16), (1.98, 0.6)],
               [(1.62, 0.32), (1.2, 0.16), (0.75, 0.26)]),
    "spoon": ([(0.75, -0.14), (1.3, -0.02), (1.7, -0.14), (2.0, 0.12)],
              [(1.7, 0.38), (1.3, 0.22), (0.75, 0.28)]),
}

THROATS = {
    "chin": [(1.1, 0.3), (0.5, 0.3), (0.1, 0.6), (0.1, 1.1), (1.2, 1.1)],
    "bib": [(1.2, 0.35), (0.45, 0.3), (0.0, 0.75), (0.1, 1.5), (0.7, 1.75), (1.6, 1.2)],
    "gorget": [(1.1, 0.35), (0.4, 0.25), (-0.35, 0.4), (-0.45, 1.0), (0.2, 1.3), (0.9, 1.5),
               (1.5, 1.0)],
    "collar": [(1.6, 0.95), (0.5, 0.95), (-0.4, 0.6), (-1.3, 0.1), (-1.4, 0.5), (-0.5, 1.1),
               (0.4, 1.5), (1.5, 1.5)],
    "moustache": [(1.0, 0.16), (0.6, 0.22), (0.2, 0.36), (-0.3, 0.72), (-0.1, 0.96), (0.4, 0.8),
                  (0.95, 0.5)],
}
# fmt: on


def beak(look: Look) -> Drawing:
    """Two mandibles, with the line between them and a nostril."""
    upper, lower = BEAKS[look.shape]
    tip = upper[-1]
    outline = np.vstack([curve(upper), curve([tip, *lower])[1:]])
    gape = ribbon(curve([(0.7, 0.1), ((0.75 + tip[0]) / 2, 0.1), tip]), (0.05, 0.03))
    colour = look.rgb
    return Drawing(
        [outline],
        colour,
        (
            Mark([rectangle(0.7, 2.2, 0.1, 1)], darker(colour, 0.14)),
            *pattern(look, (0.8, tip[0], -1, 1), 0.3),
            Mark([gape, ellipse(1.02, -0.06, 0.06, 0.03)], darker(colour, 0.55)),
        ),
        relief=0.7,
    )


def eye(look: Look) -> Drawing:
    """An eye with a glint, and what surrounds it."""
    x, y = 0.36, -0.14
    colour = look.rgb
    return Drawing(
        _around_eye(look.shape, x, y),
        colour,
        (
            Mark(
                [ellipse(x, y, 0.2, 0.2)], lighter(colour, 0.1) if look.shape == "bead" else HAZEL
            ),
            Mark([ellipse(x + 0.01, y, 0.135, 0.135)], PUPIL),
            Mark([ellipse(x + 0.06, y - 0.07, 0.05, 0.05, sides=10)], GLINT),
        ),
        relief=0.0,
    )


def _around_eye(shape: str, x: float, y: float) -> list[Outline]:
    match shape:
        case "ringed":
            return [ellipse(x, y, 0.36, 0.36)]
        case "masked":
            line = curve([(0.9, 0.0), (0.5, -0.13), (0.1, -0.12), (-0.5, 0.14)])
            return [ribbon(line, (0.2, 0.5, 0.42, 0.08))]
        case "browed":
            brow = curve([(0.82, -0.26), (0.5, -0.48), (0.05, -0.42), (-0.5, -0.16)])
            return [ellipse(x, y, 0.24, 0.24), ribbon(brow, (0.1, 0.22, 0.2, 0.05))]
        case _:
            return [ellipse(x, y, 0.25, 0.25)]


def crown(look: Look) -> Drawing:
    """The top of the head, flat or raised."""
    over = arc(1, -22, -160, 13) * np.linspace(1.0, 1.05, 13)[:, None]
    if look.shape == "stripe":
        base = np.vstack([over, arc(0.66, -168, -24, 13)])
    else:
        base = np.vstack([over, curve([(-0.95, -0.2), (-0.3, -0.42), (0.92, -0.36)])])
    if look.pattern == "tipped":  # a crown's tips are at its back
        marks: tuple[Mark, ...] = (Mark([rectangle(-1.8, -0.45, -1.8, 0)], look.ink_rgb),)
    else:
        marks = pattern(look, (-1.4, 0.95, -1.7, -0.2), 0.42)
    return Drawing([base, *_raised(look.shape)], look.rgb, marks, relief=0.8)


def _raised(shape: str) -> list[Outline]:
    """Feathers that stand up from the head."""
    match shape:
        case "crest":
            tip = (-1.7, -1.5)
            front, back = (
                [(0.9, -0.4), (0.55, -0.95), (-0.3, -1.38), tip],
                [(-1.2, -0.95), (-1, -0.2)],
            )
            return [np.vstack([curve(front), curve([tip, *back])])]
        case "tuft":
            tips = ((0.5, -1.62), (0.0, -1.78), (-0.5, -1.66))
            return [
                np.vstack(
                    [
                        curve([(0.7 - 0.36 * k, -0.7), (0.5 - 0.42 * k, -1.25), tip]),
                        curve([tip, (0.25 - 0.42 * k, -1.2), (0.1 - 0.36 * k, -0.75)]),
                    ]
                )
                for k, tip in enumerate(tips)
            ]
        case "plume":
            stem = curve([(0.3, -0.9), (0.35, -1.45), (0.75, -1.7), (1.1, -1.5)])
            return [ribbon(stem, (0.1, 0.12, 0.3, 0.36)), ellipse(1.08, -1.46, 0.2, 0.26, 30)]
        case _:
            return []


def throat(look: Look) -> Drawing:
    """A throat below the beak; the body's outline cuts it off."""
    marks = pattern(look, (-1.4, 1.6, 0, 1.8), 0.4)
    return Drawing([spline(THROATS[look.shape])], look.rgb, marks, relief=0.4)
