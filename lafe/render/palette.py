"""The colours, each with its one meaning wherever this project draws something."""

from __future__ import annotations

import numpy as np

DIS, CON, BACKBONE = "#0072b2", "#d55e00", "#666666"
"""The discriminative side, the confusable side, and the backbone that both read."""

CON_DARK = "#b84f00"  # where it is small text, or behind some: vermilion is too light for that

INK, SOFT, FAINT = "#1c252c", "#4a555d", "#5f6a73"
"""Words and lines; quiet words; words of what is off."""

ACCENT, SECOND, RIGHT = "#1f3a4d", "#9fb0bc", "#00674f"
"""The first of several; the ones after it; the true class."""

LINE, GRID, EMPTY, OFF, PAPER = "#dde1e4", "#eceff1", "#e8ebed", "#b8bfc5", "#ffffff"
"""Frames; lines behind a figure; a place without a picture; what is off; what is behind all."""

CONTROL, CHOSEN = "#6b2c8f", "#d7191c"
"""Gates that are not as learned; the one that was chosen among many."""

BLACK = "#000000"
EVEN = 0.179
"""The luminance on which black and white read equally well."""

PLUM, OCHRE, ROSE = "#7a5195", "#8a6d00", "#b8336a"

OTHERS = (ACCENT, RIGHT, PLUM, OCHRE, ROSE)
"""Colours of curves that are neither discriminative nor confusable."""

DIVERGING = {
    -1.0: (40, 0, 70),
    -0.6: (80, 20, 110),
    0.0: (140, 140, 140),
    0.6: (180, 230, 110),
    1.0: (205, 255, 60),
}
"""The colours from against (-1) to for (1): dark purple over grey to bright green.

Lightness rises all along, so that the sign is seen by every dichromat and in print; and both ends
stay far from blue and vermilion, which a dichromat takes purple and green of their lightness for.
"""


def words_on(share: float) -> str:
    """Black or white, whichever reads better on a colour of ``DIVERGING``, from -1 to 1."""
    colour = [
        np.interp(share, list(DIVERGING), one) for one in zip(*DIVERGING.values(), strict=True)
    ]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in colour)
    ]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return BLACK if luminance > EVEN else PAPER


COLOURS = {
    "dis": DIS,
    "con": CON,
    "con-dark": CON_DARK,
    "backbone": BACKBONE,
    "ink": INK,
    "soft": SOFT,
    "faint": FAINT,
    "accent": ACCENT,
    "second": SECOND,
    "right": RIGHT,
    "line": LINE,
    "grid": GRID,
    "empty": EMPTY,
    "off": OFF,
    "paper": PAPER,
    "control": CONTROL,
    "plum": PLUM,
    "ochre": OCHRE,
    "rose": ROSE,
}
"""Colours by their names in style sheets."""


DARK = {
    "dis": "#56b4e9",
    "con": "#f0924a",
    "con-dark": "#ff9d57",
    "backbone": "#a3a3a3",
    "ink": "#e9edf0",
    "soft": "#b4bfc7",
    "faint": "#9aa7b0",
    "accent": "#9cc3de",
    "second": "#5d707d",
    "right": "#5fc39f",
    "line": "#37434c",
    "grid": "#222b32",
    "empty": "#2a343b",
    "off": "#55626c",
    "paper": "#12181d",
    "control": "#c39be0",
    "plum": "#b995d3",
    "ochre": "#d3b54c",
    "rose": "#f28fb8",
}
"""Values of the colours where the page is dark."""


def css() -> str:
    """The colours as CSS variables, for a page and what is in it."""
    given = (f"--{name}: light-dark({value}, {DARK[name]});" for name, value in COLOURS.items())
    return ":root {" + " ".join(given) + "}"
