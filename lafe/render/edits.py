"""Places of a photo, shown: numbered in their order over the part that a model sees."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from lafe.explain.places import Place
from lafe.render.palette import CHOSEN, PAPER

_GAP = 8  # px


def numbered(seen: Image.Image, places: Iterable[Place], grid: int, side: int = 480) -> Image.Image:
    """The part of a photo that a model sees, with places marked by 1, 2, ...

    Args:
        seen: that part, as :func:`lafe.render.pictures.view` gives it.
        places: rows and columns.
        grid: how many rows and columns there are.
        side: of the picture in px; it is square, as what the model reads.
    """
    shown = seen.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    draw, cell = ImageDraw.Draw(shown), side / grid
    font = ImageFont.load_default(0.45 * cell)
    for number, (row, column) in enumerate(places, 1):
        left, top = column * cell, row * cell
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), outline=CHOSEN, width=2)
        middle = (left + cell / 2, top + cell / 2)
        text = str(number)
        draw.text(middle, text, CHOSEN, font, "mm", stroke_width=2, stroke_fill=PAPER)
    return shown


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of one height, side by side."""
    both = Image.new("RGB", (left.width + _GAP + right.width, left.height), PAPER)
    both.paste(left, (0, 0))
    both.paste(right, (left.width + _GAP, 0))
    return both
