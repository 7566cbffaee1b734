"""A map over a photo, and the colours of its values, as HTML."""

from __future__ import annotations

from html import escape

from PIL import Image

from lafe.render.overlay import colour_bar
from lafe.render.pictures import jpeg_url, png_url
from lafe.render.text import number

from . import maps
from .maps import Layer, Scale


def tile(
    picture: Image.Image,
    layer: Layer,
    shared: Scale | None,
    opacity: float,
    *,
    noted: bool = False,
) -> str:
    """A map over a photo with its name; hollow where there is no map.

    Args:
        shared: the scale of several maps, shown elsewhere; without it the map has a scale of its
            own, shown below it.
        noted: with what there is to know of its values, or why there is no map.
    """
    name, note = escape(layer.name), escape(layer.note)
    scale = shared or maps.scale([layer])
    painted = maps.painted(picture, layer, scale, opacity)
    if painted is None or scale is None:
        ratio = f"{picture.width} / {picture.height}"
        body = f'<div class="off" style="aspect-ratio: {ratio}">{note if noted else "off"}</div>'
        return f'<figure class="tile">{body}<figcaption>{name}</figcaption></figure>'
    url = jpeg_url(painted, max(picture.size))
    below = legend(scale, ends=layer.ends) if shared is None else ""
    if noted:
        below += f"<small>{note}</small>"
    return (
        f'<figure class="tile"><img alt="The photo under {name}" src="{url}">'
        f"<figcaption>{name}</figcaption>{below}</figure>"
    )


def legend(scale: Scale, note: str = "", ends: tuple[str, str] | None = None) -> str:
    """A colour bar with the values at its ends, what they say, and zero where it is signed."""
    low, high = scale.range
    middle = "<span>0</span>" if scale.signed else ""
    before, after = (f"{escape(words)} " for words in ends) if ends else ("", "")
    return (
        '<div class="legend">'
        f'<img alt="Colours from {number(low)} to {number(high)}" '
        f'src="{png_url(colour_bar(scale.range, signed=scale.signed))}">'
        f'<div class="ends"><span>{before}{number(low)}</span>{middle}'
        f"<span>{after}{number(high)}</span></div>"
        f'<div class="note">{escape(note)}</div></div>'
    )
