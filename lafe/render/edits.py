"""Places of a photo, shown: numbered in their order over the part that a model sees."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from lafe.explain.places import Place
from lafe.render.palette import CHOSEN, PAPER

_GAP = 8  # px


def numbered(
    seen: Image.Image, places: Iterable[Place], grid: int, height: int = 480
) -> Image.Image:
    """The part of a photo that a model sees, with places marked by 1, 2, ...

    Args:
        seen: that part, as :func:`lafe.render.pictures.view` gives it.
        places: rows and columns.
        grid: how many rows and columns there are.
        height: of the picture in px, which keeps its proportions.
    """
    width = round(height * seen.width / seen.height)
    shown = seen.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    draw, w, h = ImageDraw.Draw(shown), width / grid, height / grid
    font = ImageFont.load_default(0.45 * min(w, h))
    for number, (row, column) in enumerate(places, 1):
        left, top = column * w, row * h
        draw.rectangle((left, top, left + w - 1, top + h - 1), outline=CHOSEN, width=2)
        middle = (left + w / 2, top + h / 2)
        text = str(number)
        draw.text(middle, text, CHOSEN, font, "mm", stroke_width=2, stroke_fill=PAPER)
    return shown


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of one height, side by side."""
    both = Image.new("RGB", (left.width + _GAP + right.width, left.height), PAPER)
    both.paste(left, (0, 0))
    both.paste(right, (left.width + _GAP, 0))
    return both
