"""Pictures for people: the part of a photo that a model sees, and addresses that hold a picture."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image

from lafe.data.preprocess import Preprocess
from lafe.render.overlay import RGB

SIDE = 640
"""px, the longest side of a photo that is shown; 300 dpi in a column of a paper's figure."""


def view(photo: Image.Image, preprocess: Preprocess, side: int = SIDE) -> Image.Image:
    """The part of a photo that a model sees, in the photo's own proportions.

    Args:
        photo: RGB, cropped to what is looked at.
        side: px, the most that a side may have.
    """
    left, top, right, bottom = map(round, preprocess.view_box(photo.size))
    part = photo.crop((left, top, right, bottom))
    part.thumbnail((side, side))
    return part


def jpeg_url(picture: Image.Image | RGB, side: int = SIDE) -> str:
    """A picture inside its own address, for a page: a JPEG copy of at most ``side`` px."""
    small = picture.copy() if isinstance(picture, Image.Image) else Image.fromarray(picture)
    small.thumbnail((side, side))
    return _url(small, "jpeg", quality=85)


def png_url(pixels: RGB) -> str:
    """Pixels inside their own address, for a page, as they are."""
    return _url(Image.fromarray(pixels), "png")


def _url(picture: Image.Image, kind: str, **options: int) -> str:
    out = BytesIO()
    picture.save(out, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(out.getvalue()).decode()


def svg_url(svg: str) -> str:
    """An SVG inside its own address, for a page."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
