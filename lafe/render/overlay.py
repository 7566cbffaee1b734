"""A heat map over a photo, shown as it is.

A map is upsampled bilinearly, which makes up no value beyond its own, and painted by a colour map
on a range that the caller gives and can print beside it: nothing is squared, nothing is rescaled
to look stronger.  Values outside of the range get the colour of the nearer end.

Unsigned maps are painted in viridis.  Signed ones run from dark purple over grey, which is exactly
zero, to bright green; both survive all common colour blindness.  Blue and vermilion are taken: they
mean discriminative and confusable wherever this project draws something.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from lafe.explain.maps import Map
from lafe.render.palette import DIVERGING

RGB = np.ndarray  # (H, W, 3) uint8
Range = tuple[float, float]
Box = tuple[float, float, float, float]

_BAR = (16, 256)  # height, width in pixels


def value_range(maps: Iterable[Map], *, signed: bool, percentile: float = 100) -> Range:
    """The range of the values of all maps together, so that one scale fits them all.

    Args:
        maps: at least one map, of any sizes.
        signed: make the range symmetric about zero.
        percentile: where the colours end, above and below: 99 leaves out the hundredth of a map's
            values that is largest, and the one that is smallest, so that a few pixels do not
            decide what all others look like.

    Returns:
        Smallest and largest value, or what is there at these percentiles.
    """
    maps = [_finite(heat) for heat in maps]
    low = min(float(np.percentile(heat, 100 - percentile)) for heat in maps)
    high = max(float(np.percentile(heat, percentile)) for heat in maps)
    bound = max(-low, high)
    return (-bound, bound) if signed else (low, high)


def overlay(
    photo: Image.Image,
    heat: Map,
    *,
    opacity: float,
    value_range: Range,
    signed: bool,
    box: Box | None = None,
) -> RGB:
    """Paint a map over the part of a photo that it covers.

    Args:
        photo: RGB, W x H pixels.
        heat: (h, w) values, none of them NaN or infinite.
        opacity: 0 shows the photo alone, 1 the map alone.
        value_range: the values that the two ends of the colour map stand for.
        signed: use the diverging colour map; the range is then symmetric about zero.
        box: left, top, right, bottom in pixels of the photo, rounded to whole ones: what the map
            covers; outside of it the photo is left as it is.  The whole photo by default.

    Returns:
        (H, W, 3) uint8.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"Opacity goes from 0 to 1; {opacity} does not.")
    _check_range(value_range, signed)
    result = np.array(photo)
    left, top, right, bottom = map(round, box or (0, 0, *photo.size))
    if not (0 <= left < right <= photo.width and 0 <= top < bottom <= photo.height):
        raise ValueError(f"The box {box} is no part of a photo of {photo.width} x {photo.height}.")
    size = (right - left, bottom - top)
    large = cv2.resize(_finite(heat), size, interpolation=cv2.INTER_LINEAR)
    colours = _paint(large, value_range, signed)
    covered = result[top:bottom, left:right]
    result[top:bottom, left:right] = cv2.addWeighted(covered, 1 - opacity, colours, opacity, 0)
    return result


def colour_bar(value_range: Range, *, signed: bool) -> RGB:
    """The colours of a range, from its lowest value on the left to its highest on the right.

    Returns:
        (16, 256, 3) uint8.
    """
    _check_range(value_range, signed)
    height, width = _BAR
    values = np.linspace(*value_range, width, dtype=np.float32)
    return _paint(np.tile(values, (height, 1)), value_range, signed)


def _finite(heat: Map) -> Map:
    heat = np.asarray(heat, np.float32)
    if heat.ndim != 2 or not heat.size:
        raise ValueError(f"Expected a map of shape (h, w), not {heat.shape}.")
    if not np.isfinite(heat).all():
        raise ValueError("The map holds values that are NaN or infinite: it cannot be shown.")
    return heat


def _check_range(value_range: Range, signed: bool) -> None:
    low, high = value_range
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"A range goes from a lower to a higher value; {value_range} does not.")
    if signed and low != -high:
        raise ValueError(f"The range of signed maps is symmetric about zero; {value_range} is not.")


def _paint(heat: Map, value_range: Range, signed: bool) -> RGB:
    low, high = value_range
    heat = np.clip(heat, low, high)
    if signed:
        level, colour_map = _ZERO + (255 - _ZERO) * (heat / (high or 1)), _DIVERGING
    else:
        level, colour_map = 255 * ((heat - low) / (high - low or 1)), _SEQUENTIAL
    return cv2.applyColorMap(np.rint(level).astype(np.uint8), colour_map)


def _sequential() -> RGB:
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def _diverging() -> RGB:
    position = (np.arange(256) - _ZERO) / (255 - _ZERO)
    channels = zip(*DIVERGING.values(), strict=True)
    colours = [np.interp(position, list(DIVERGING), channel) for channel in channels]
    table: RGB = np.rint(np.stack(colours, axis=1)).astype(np.uint8)
    return table[:, None]


_ZERO = 128  # the level of zero in a signed map, so that levels 1 to 255 are symmetric about it
_SEQUENTIAL, _DIVERGING = _sequential(), _diverging()  # (256, 1, 3)
