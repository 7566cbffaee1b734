"""The colours, each with its one meaning wherever this project draws something."""

from __future__ import annotations

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

OTHERS = (ACCENT, RIGHT, "#7a5195", "#8a6d00", "#000000")
"""Colours of curves that are neither discriminative nor confusable."""

DIVERGING = {
    -1.0: (84, 10, 110),
    -0.6: (128, 20, 166),
    0.0: (255, 255, 255),
    0.6: (22, 134, 28),
    1.0: (12, 88, 14),
}
"""Against and for something: purple to green, since blue and vermilion are taken; from -1 to 1,
chosen so that x and -x differ as much as they can for every dichromat."""

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
    "chosen": CHOSEN,
}
"""Colours by their names in style sheets."""


def css() -> str:
    """The colours as CSS variables, for a page and what is in it."""
    return ":root {" + " ".join(f"--{name}: {value};" for name, value in COLOURS.items()) + "}"
