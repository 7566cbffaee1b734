"""Outlines as points in a frame, and frames as places on the picture.

An outline is an array (N, 2) of x, y.  A frame is a matrix (2, 3) that carries x, y, 1 of a part's
own coordinates to the picture, whose sides are 1; so the same outline is drawn at any size.
"""

import math
from collections.abc import Sequence

import numpy as np

Outline = np.ndarray
Frame = np.ndarray
Points = Sequence[tuple[float, float]] | np.ndarray
Vector = Sequence[float] | np.ndarray


def spline(points: Points) -> Outline:
    """Run a smooth closed curve through `points` (Catmull-Rom)."""
    p = np.asarray(points, dtype=float)
    return _catmull_rom(np.vstack([p[-1:], p, p[:2]]))


def curve(points: Points) -> Outline:
    """Run a smooth open curve through `points` (Catmull-Rom)."""
    p = np.asarray(points, dtype=float)
    return np.vstack([_catmull_rom(np.vstack([p[:1], p, p[-1:]])), p[-1:]])


def _catmull_rom(p: np.ndarray, samples: int = 8) -> Outline:
    """`samples` points of each piece from the second of `p` to the last but one."""
    before, start, stop, after = (p[i : len(p) - 3 + i, None] for i in range(4))
    t = np.arange(samples)[:, None] / samples
    bend = 2 * before - 5 * start + 4 * stop - after
    twist = 3 * (start - stop) + after - before
    curve: Outline = start + t / 2 * (stop - before + t * (bend + t * twist))
    return curve.reshape(-1, 2)


def ribbon(points: Points, widths: float | Sequence[float] | np.ndarray) -> Outline:
    """Outline a line whose width runs through `widths` from its start to its end."""
    p = np.asarray(points, dtype=float)
    along = np.empty_like(p)
    along[1:-1] = p[2:] - p[:-2]
    along[[0, -1]] = p[1] - p[0], p[-1] - p[-2]
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    across = along[:, ::-1] * (-1, 1)
    steps = np.atleast_1d(np.asarray(widths, dtype=float))
    half = np.interp(
        np.arange(len(p)) / (len(p) - 1) * (len(steps) - 1), np.arange(len(steps)), steps
    )
    side = across * half[:, None] / 2
    return np.vstack([p + side, (p - side)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0, sides: int = 24) -> Outline:
    """Outline an ellipse with half-axes `rx`, `ry`, turned by `turn` degrees."""
    return moved(rotation(turn, arc(1, 0, 360 - 360 / sides, sides) * (rx, ry)), (x, y))


def arc(radius: float, start: float, stop: float, count: int) -> Outline:
    """Points of a circle round the origin from `start` to `stop` degrees; -90 is up."""
    t = np.radians(np.linspace(start, stop, count))
    return radius * np.stack([np.cos(t), np.sin(t)], axis=1)


def rectangle(x0: float, x1: float, y0: float, y1: float) -> Outline:
    """Outline a box."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


def rotation(degrees: float, points: Points) -> Outline:
    """Turn `points` about the origin, from x towards y."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned: Outline = np.asarray(points, dtype=float) @ np.array([[c, s], [-s, c]])
    return turned


def moved(points: Points, by: Vector) -> Outline:
    """Move `points` by x, y."""
    there: Outline = np.asarray(points, dtype=float) + np.asarray(by)
    return there


def frame(origin: Vector, along: Vector, across: Vector) -> Frame:
    """The frame at `origin` whose x runs by `along` and whose y by `across`."""
    return np.stack([along, across, origin], axis=1).astype(float)


def place(at: Frame, points: Points) -> Outline:
    """Carry `points` from their frame to the picture."""
    there: Outline = np.asarray(points, dtype=float) @ at[:, :2].T + at[:, 2]
    return there


def within(outer: Frame, inner: Frame) -> Frame:
    """The frame `inner`, which is given in coordinates of `outer`, on the picture."""
    return np.hstack([outer[:, :2] @ inner[:, :2], place(outer, inner[:, 2])[:, None]])
