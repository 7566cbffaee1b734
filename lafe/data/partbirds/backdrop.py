"""The backdrop of the bird: leaves, water or sky.

It is painted small and enlarged: out of focus, as behind a bird in a photo, and the same at every
size.
"""

import cv2
import numpy as np

from lafe.data.partbirds.canvas import Colour
from lafe.data.partbirds.scene import Scene

SIDE = 128  # pixels of the small picture

Palette = tuple[tuple[int, int, int], ...]
GREEN: Palette = ((58, 92, 48), (92, 128, 62), (128, 158, 84), (70, 108, 84), (150, 168, 96))
AUTUMN: Palette = ((132, 92, 52), (168, 126, 66), (112, 104, 60), (150, 108, 80), (186, 152, 92))
DUSK: Palette = ((46, 70, 66), (70, 96, 92), (96, 124, 116), (58, 82, 94), (120, 142, 128))
LEAVES = (GREEN, AUTUMN, DUSK)
WATER: Palette = ((92, 136, 152), (112, 150, 158), (120, 144, 128), (88, 112, 136), (146, 160, 162))
SKY: Palette = ((150, 190, 220), (184, 206, 220), (214, 206, 196), (168, 178, 196), (224, 196, 176))


def backdrop(scene: Scene, size: int) -> np.ndarray:
    """(3, size, size) float32, 0 to 1."""
    rng = np.random.default_rng([scene.seed, 1])
    paint = {"foliage": _foliage, "water": _water, "sky": _sky}[scene.habitat]
    small = np.clip(paint(rng), 0, 1)
    large = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large.transpose(2, 0, 1))


def pick(rng: np.random.Generator, palette: Palette) -> Colour:
    """One of a palette's colours, a little brighter or darker."""
    return np.array(palette[rng.integers(len(palette))]) / 255 * rng.uniform(0.85, 1.15)


def _foliage(rng: np.random.Generator) -> np.ndarray:
    palette = LEAVES[rng.choice(3, p=(0.5, 0.25, 0.25))]
    image = _gradient(1.1 * pick(rng, palette), 0.8 * pick(rng, palette))
    _blobs(image, rng, palette, 40, (0.08, 0.2), 0.6)
    image = _blurred(image, rng.uniform(6, 9))
    _blobs(image, rng, palette, 26, (0.02, 0.07), 0.35)
    image = _blurred(image, rng.uniform(2, 4))
    return _with_light_between(image, rng)


def _water(rng: np.random.Generator) -> np.ndarray:
    shore = rng.uniform(0, 0.45)
    image = _gradient(1.15 * pick(rng, WATER), 0.8 * pick(rng, WATER))
    for _ in range(46):
        y = shore + (1 - shore) * rng.uniform() ** 1.4
        near = 0.2 + y - shore  # waves are larger where the water is nearer
        x, width, height = rng.uniform(), 0.3 * near * rng.uniform(0.3, 1), 0.02 * near
        _ellipse(image, (x, y), (width, height), 0, rng.uniform(0.8, 1.3) * pick(rng, WATER))
    image = _blurred(image, 2)
    if shore > 0.12:
        palette = LEAVES[rng.integers(3)]
        land = _gradient(pick(rng, palette), 0.8 * pick(rng, palette))
        _blobs(land, rng, palette, 60, (0.04, 0.12), 0.6)
        rows = round(shore * SIDE)
        image[:rows] = land[:rows]
        image = _blurred(image, 2.4)
    return image


def _sky(rng: np.random.Generator) -> np.ndarray:
    image = _gradient(0.95 * pick(rng, SKY), 1.1 * pick(rng, SKY))
    clouds = np.zeros_like(image)
    white = np.full(3, 0.55)
    for _ in range(rng.integers(0, 5)):
        middle = rng.uniform(size=2)
        for _ in range(6):
            radius = rng.uniform(0.04, 0.1)
            _ellipse(clouds, middle + rng.normal(0, (0.11, 0.03)), (radius, radius), 0, white)
    image = image + _blurred(clouds, 6) * (1 - image)
    horizon = rng.uniform(0.6, 1.3)
    for y, paler in ((horizon, 1.25), (horizon + 0.14, 0.95)):
        ridge = y + 0.017 * np.cumsum(rng.normal(size=9))
        hills = np.vstack([np.stack([np.linspace(0, 1, 9), ridge], axis=1), [(1, 2), (0, 2)]])
        tone = (paler * pick(rng, DUSK)).tolist()
        cv2.fillPoly(image, [np.rint(hills * SIDE).astype(np.int32)], tone, cv2.LINE_AA)
    return _blurred(image, 3)


def _with_light_between(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Discs of light, as a lens makes of gaps between leaves."""
    glow = np.zeros_like(image)
    for _ in range(rng.integers(3, 14)):
        radius = rng.uniform(0.015, 0.05)
        tone = rng.uniform(0.08, 0.3) * np.array((1, 0.98, 0.82))
        _ellipse(glow, rng.uniform(size=2), (radius, radius), 0, tone)
    brighter: np.ndarray = image + _blurred(glow, 0.9) * (1 - image)
    return brighter


def _gradient(top: Colour, bottom: Colour) -> np.ndarray:
    down = np.linspace(0, 1, SIDE)[:, None, None]
    rows = ((1 - down) * top + down * bottom).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(rows, (SIDE, SIDE, 3)))


def _blobs(
    image: np.ndarray,
    rng: np.random.Generator,
    palette: Palette,
    count: int,
    radii: tuple[float, float],
    flattest: float,
) -> None:
    """Fill `count` ellipses anywhere."""
    for _ in range(count):
        radius = rng.uniform(*radii)
        axes = (radius, radius * rng.uniform(flattest, 1))
        _ellipse(image, rng.uniform(size=2), axes, rng.uniform(0, 180), pick(rng, palette))


def _ellipse(
    image: np.ndarray,
    middle: np.ndarray | tuple[float, float],
    axes: tuple[float, float],
    turn: float,
    colour: Colour,
) -> None:
    """Fill one ellipse, given in shares of the side."""
    x, y = (round(float(v) * SIDE) for v in middle)
    a, b = (max(1, round(v * SIDE)) for v in axes)
    cv2.ellipse(image, (x, y), (a, b), turn, 0, 360, colour.tolist(), -1, cv2.LINE_AA)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)
