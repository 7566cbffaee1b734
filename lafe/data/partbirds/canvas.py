"""A picture that layers are painted on, from the back to the front, and what each pixel shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from lafe.data.partbirds.geometry import Frame, Outline, place

Colour = np.ndarray
"""(3,) red, green, blue from 0 to 1."""

FINE = 4  # sub-pixels a side: an edge pixel has one of 17 strengths
SHIFT = 4  # binary digits of a sub-pixel's coordinates


def darker(colour: Colour, by: float) -> Colour:
    """Mix in black."""
    return colour * (1 - by)


def lighter(colour: Colour, by: float) -> Colour:
    """Mix in white."""
    return colour + by * (1 - colour)


def as_is(colour: Colour) -> Colour:
    """The colour itself."""
    return colour


@dataclass(frozen=True, eq=False)
class Mark:
    """Something painted inside an outline: feather lines, spots, bars.

    Args:
        outlines: in the coordinates of the drawing.
        colour: of the mark.
        strength: 1 covers what is below, 0.5 tints it.
    """

    outlines: Sequence[Outline]
    colour: Colour
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Drawing:
    """One layer: outlines of one colour with marks inside, in the coordinates of a frame.

    Args:
        outlines: where the layer is.
        colour: of what no mark covers.
        marks: painted in this order.
        relief: how round it looks; 0 is flat.
    """

    outlines: Sequence[Outline]
    colour: Colour
    marks: Sequence[Mark] = ()
    relief: float = 1.0


@dataclass(frozen=True, eq=False)
class Layer:
    """A drawing at its place on the picture.

    Args:
        drawing: what is painted.
        at: its frame.
        label: what the pixels that it covers show.
        tint: what becomes of the drawing's colours.
    """

    drawing: Drawing
    at: Frame
    label: int
    tint: Callable[[Colour], Colour] = as_is


@dataclass(frozen=True, eq=False)
class Patch:
    """A rectangle of the picture, with the share (h, w) of each pixel that something covers."""

    top: int
    left: int
    shares: np.ndarray


def coverage(outlines: Sequence[Outline], at: Frame, size: int) -> Patch | None:
    """The share of each pixel that lies inside one of `outlines`; None if all miss the picture.

    Every edge lies about a tenth of a pixel too far out.
    """
    placed = [place(at, outline) * size for outline in outlines]
    corners = np.concatenate(placed)
    # A margin of a pixel, so that nothing but the picture's own edge cuts a shape.
    left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, size).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    return Patch(top, left, _fill(placed, top, left, (bottom - top, right - left)))


@dataclass(frozen=True, eq=False)
class Canvas:
    """A square picture in the making; painting changes it.

    Args:
        image: (3, S, S) float32, 0 to 1.
        light: (2,) the direction towards the light, x to the right and y down.
        labels: (S, S) uint8, the layer that shows at each pixel: the last that covers half of it.
    """

    image: np.ndarray
    light: np.ndarray
    labels: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.zeros(self.image.shape[1:], dtype=np.uint8))

    @property
    def size(self) -> int:
        """The side in pixels."""
        return len(self.labels)

    def paint(
        self, layer: Layer, upon: Sequence[Layer] = (), shade: np.ndarray | None = None
    ) -> None:
        """Paint a layer, and others upon it that end where it ends.

        Args:
            layer: what is painted.
            upon: its outline cuts these off, so that an edge shows what is behind it only once.
            shade: (S, S) factors of brightness.
        """
        patch = coverage(layer.drawing.outlines, layer.at, self.size)
        if patch is None:
            return
        here = np.flatnonzero(patch.shares)
        alpha = patch.shares.take(here)
        colour = self._colour(layer, patch, patch.shares, here)
        label = np.full(len(here), layer.label, dtype=np.uint8)
        for over in upon:
            shares = self._shares(over.drawing.outlines, over.at, patch)
            share = shares.take(here)
            colour += share * (self._colour(over, patch, shares, here) - colour)
            label[share >= 0.5] = over.label

        row, column = np.divmod(here, patch.shares.shape[1])
        there = (row + patch.top) * self.size + column + patch.left
        if shade is not None:
            colour *= shade.take(there)
        image, labels = self.image.reshape(3, -1), self.labels.reshape(-1)
        behind = image.take(there, axis=1)
        image[:, there] = behind + alpha * (colour - behind)
        most = alpha >= 0.5
        labels[there[most]] = label[most]

    def _colour(
        self, layer: Layer, patch: Patch, shares: np.ndarray, here: np.ndarray
    ) -> np.ndarray:
        """(3, n) colours of a layer that covers `shares` of a patch, at the places `here` of it."""
        base = layer.tint(layer.drawing.colour).astype(np.float32)
        colour = np.repeat(base[:, None], len(here), axis=1)
        for mark in layer.drawing.marks:
            share = self._shares(mark.outlines, layer.at, patch).take(here)
            ink = layer.tint(mark.colour).astype(np.float32)
            colour += np.float32(mark.strength) * share * (ink[:, None] - colour)
        if layer.drawing.relief:
            colour *= self._relief(shares, layer.drawing.relief).take(here)
        return colour

    def _shares(self, outlines: Sequence[Outline], at: Frame, patch: Patch) -> np.ndarray:
        """(h, w) the share of each pixel of the patch that lies inside one of `outlines`."""
        placed = [place(at, outline) * self.size for outline in outlines]
        return _fill(placed, patch.top, patch.left, patch.shares.shape)

    def _relief(self, shares: np.ndarray, strength: float) -> np.ndarray:
        """Factors of brightness: more on the side towards the light, as on a cushion."""
        return 1 + 0.38 * strength * _slope(shares, 0.012 * self.size, 0.02 * self.size, self.light)


def roundness(outlines: Sequence[Outline], at: Frame, size: int, light: np.ndarray) -> np.ndarray:
    """(size, size) factors of brightness of something round, in and about its outline."""
    small = 64  # pixels: the shade is soft, and the same at every size
    patch = coverage(outlines, at, small)
    shares = np.zeros((small, small), dtype=np.float32)
    if patch is not None:
        h, w = patch.shares.shape
        shares[patch.top : patch.top + h, patch.left : patch.left + w] = patch.shares
    shade = 1 + 0.45 * _slope(shares, 0.06 * small, 0.07 * small, light)
    return cv2.resize(shade, (size, size), interpolation=cv2.INTER_LINEAR)


def _slope(shares: np.ndarray, blur: float, reach: float, light: np.ndarray) -> np.ndarray:
    """The excess of shares away from the light over those here, after a blur."""
    edge = cv2.BORDER_REPLICATE
    soft = cv2.GaussianBlur(shares, (0, 0), blur + 0.3, borderType=edge)
    dx, dy = (reach * light).tolist()
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    h, w = shares.shape
    return cv2.warpAffine(soft, shift, (w, h), flags=cv2.INTER_LINEAR, borderMode=edge) - soft


def _fill(placed: list[Outline], top: int, left: int, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) float32: the share of each pixel of a window that lies inside any of the outlines."""
    h, w = shape
    fine = np.zeros((h * FINE, w * FINE), dtype=np.uint8)
    for outline in placed:
        # A pixel's centre, not its corner, has whole coordinates in OpenCV.
        points = ((outline - (left, top)) * FINE - 0.5) * (1 << SHIFT)
        cv2.fillPoly(fine, [np.rint(points).astype(np.int32)], 255, cv2.LINE_8, SHIFT)
    return cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
