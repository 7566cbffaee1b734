"""Things that can be taken out of a scene: the perch; twigs, leaves and reeds before the bird."""

from dataclasses import dataclass

import numpy as np

from lafe.data.partbirds.backdrop import GREEN, LEAVES, Palette, pick
from lafe.data.partbirds.canvas import Drawing, Mark
from lafe.data.partbirds.geometry import Outline, curve, ellipse, moved, ribbon, rotation, spline
from lafe.data.partbirds.scene import Scene

BARK: Palette = ((98, 76, 58), (120, 104, 86), (84, 74, 66), (138, 118, 92))
STONE: Palette = ((128, 125, 120), (112, 112, 116), (140, 132, 122))


@dataclass(frozen=True, eq=False)
class Thing:
    """Something beside the bird.

    Args:
        name: unique in its scene.
        drawings: its layers, in the picture's coordinates.
        in_front: whether it hides the bird, or the bird hides it.
    """

    name: str
    drawings: tuple[Drawing, ...]
    in_front: bool


def things(scene: Scene) -> tuple[Thing, ...]:
    """All things of a scene, from the back to the front."""
    rng = np.random.default_rng([scene.seed, 2])
    on_rock = scene.habitat == "water" and rng.random() < 0.6
    found = [Thing("perch", _rock(scene, rng) if on_rock else _branch(scene, rng), in_front=False)]
    for k in range(rng.integers(0, 3)):
        found.append(Thing(f"twig {k + 1}", _twig(rng), in_front=True))
    for k in range(rng.integers(0, 3)):
        if scene.habitat == "water":
            found.append(Thing(f"reed {k + 1}", _reed(rng), in_front=True))
        else:
            found.append(Thing(f"spray {k + 1}", _spray(rng), in_front=True))
    return tuple(found)


def _branch(scene: Scene, rng: np.random.Generator) -> tuple[Drawing, ...]:
    """A branch from side to side, below the feet."""
    x, y = scene.pose.ground
    thick = rng.uniform(0.03, 0.055)
    xs = np.array([-0.1, 0.2, 0.5, 0.8, 1.1])
    ys = y + 0.42 * thick + rng.uniform(-0.22, 0.22) * (xs - x)
    ys += np.where(abs(xs - x) < 0.25, 0, rng.normal(0, 0.02, len(xs)))
    line = curve(np.stack([xs, ys], axis=1))
    bark = pick(rng, BARK)
    grain = [
        ribbon(
            moved(line[i : i + 7], (0, thick * rng.uniform(-0.35, 0.35))),
            (0.001, 0.12 * thick, 0.001),
        )
        for i in range(1, len(line) - 8, 3)
    ]
    dark_side = ribbon(moved(line, (0, 0.3 * thick)), 0.4 * thick)
    branch = Drawing(
        [ribbon(line, thick * rng.uniform(0.8, 1.2, 6))],
        bark,
        (Mark([dark_side], 0.7 * bark, 0.8), Mark(grain, 0.6 * bark, 0.7)),
    )
    palette = LEAVES[rng.choice(3, p=(0.6, 0.2, 0.2))]
    spots = [line[rng.integers(2, len(line) - 2)] for _ in range(rng.integers(0, 4))]
    leaves = [_leaf(at, rng, palette, 1) for at in spots if abs(at[0] - x) > 0.16]
    return (branch, *leaves)


def _rock(scene: Scene, rng: np.random.Generator) -> tuple[Drawing, ...]:
    """A boulder below the feet."""
    x, y = scene.pose.ground
    half = rng.uniform(0.24, 0.4)
    across = np.array([-1, -0.85, -0.5, -0.2, 0.2, 0.55, 0.9, 1])
    down = np.array([0, 0.14, 0.04, 0, 0, 0.05, 0.16, 0]) + rng.uniform(-0.015, 0.015, 8)
    down[[3, 4]] = 0.004  # flat where the feet stand
    down[[0, 7]] = 1.1 - y
    stone = pick(rng, STONE)
    speckles = [
        ellipse(
            x + half * rng.uniform(-1, 1), rng.uniform(y, 1), 0.012, 0.005, rng.uniform(-20, 20)
        )
        for _ in range(24)
    ]
    moss = ellipse(x + rng.uniform(-0.5, 0.5) * half, y + 0.2, 0.3 * half, 0.05)
    outline = spline(np.stack([x + half * across, y + down], axis=1))
    marks = (Mark([moss], pick(rng, GREEN), 0.6), Mark(speckles, 0.7 * stone, 0.5))
    return (Drawing([outline], stone, marks),)


def _twig(rng: np.random.Generator) -> tuple[Drawing, ...]:
    """A thin twig anywhere, with a few small leaves."""
    (a, b, c), middle = rng.normal(0, 0.05, 3), rng.uniform(0.1, 0.9, 2)
    line = curve(rotation(rng.uniform(0, 360), [(-0.6, a), (0, b), (0.45, c)]) + middle)
    thick = rng.uniform(0.006, 0.016)
    bark = 0.85 * pick(rng, BARK)
    dark_side = ribbon(moved(line, (0, 0.3 * thick)), 0.4 * thick)
    twig = Drawing([ribbon(line, (thick, 0.35 * thick))], bark, (Mark([dark_side], 0.7 * bark),), 0)
    palette = LEAVES[rng.integers(3)]
    return (twig, *(_leaf(line[i], rng, palette, 0.55) for i in range(2, len(line), 5)))


def _spray(rng: np.random.Generator) -> tuple[Drawing, ...]:
    """Leaves that reach in from a corner."""
    palette = LEAVES[rng.integers(3)]
    corner = rng.integers(0, 2, 2) + rng.normal(0, 0.05, 2)
    return tuple(_leaf(corner + rng.normal(0, 0.1, 2), rng, palette, 1.3) for _ in range(5))


def _reed(rng: np.random.Generator) -> tuple[Drawing, ...]:
    """Blades that stand in the water."""
    palette = LEAVES[rng.integers(3)]
    x = rng.uniform(0.05, 0.95)
    blades = []
    for _ in range(4):
        foot, lean, height = x + rng.normal(0, 0.05), rng.normal(0, 0.12), rng.uniform(0.25, 0.6)
        line = curve(
            [(foot, 1.05), (foot + 0.3 * lean, 1 - 0.6 * height), (foot + lean, 1 - height)]
        )
        blades.append(Drawing([ribbon(line, (0.014, 0.012, 0.002))], pick(rng, palette), (), 0.5))
    return tuple(blades)


def _leaf(at: np.ndarray, rng: np.random.Generator, palette: Palette, scale: float) -> Drawing:
    length, turn, half = (
        scale * rng.uniform(0.06, 0.11),
        rng.uniform(0, 360),
        rng.uniform(0.22, 0.34),
    )
    colour = pick(rng, palette)

    def put(outline: Outline) -> Outline:
        return moved(rotation(turn, outline) * length, at)

    side = [(0, 0), (0.35, half), (0.75, 0.7 * half), (1.05, 0)]
    blade = spline([*side, (0.75, -0.7 * half), (0.35, -half)])
    rib = ribbon([(0, 0), (0.5, 0), (1, 0)], (0.05, 0.03, 0.01))
    marks = (Mark([put(curve(side))], 0.82 * colour), Mark([put(rib)], 0.6 * colour + 0.25))
    return Drawing([put(blade)], colour, marks, relief=0.5)
