"""Everything about a picture that says nothing of the class: pose, proportions, light, habitat.

A seed gives the same scene whatever bird sits in it and whatever size it is drawn at.
"""

import colorsys
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lafe.data.partbirds.canvas import Colour
from lafe.data.partbirds.geometry import Frame, frame, moved, place, rotation, within
from lafe.data.partbirds.looks import PARTS

HABITATS = ("foliage", "water", "sky")

PLUMAGES = (  # of the body between the parts: of no class, and duller than any part
    (150, 142, 132),
    (128, 122, 112),
    (166, 150, 128),
    (122, 130, 136),
    (146, 136, 118),
    (178, 168, 152),
)

# How far a bird may reach, so that it fits whatever its parts: the tail's end and the breast in the
# body's coordinates; the beak's end and a crest in those of the head.
BODY_REACH = ((-2.33, 0.5), (-2.3, -0.4), (0.9, 0.4))
HEAD_REACH = ((2.1, 0.5), (1.3, -1.6), (0.7, -1.95), (-1.6, -1.5))


@dataclass(frozen=True, eq=False)
class Pose:
    """The places of the parts of a bird.

    Args:
        body: frame on the picture.
        head: frame in the body's.
        wing: frame on the picture.
        tail: frame on the picture.
        legs: frames of the far and the near leg on the picture.
    """

    body: Frame
    head: Frame
    wing: Frame
    tail: Frame
    legs: tuple[Frame, Frame]

    def frames(self, part: str) -> tuple[Frame, ...]:
        """The frames in which a part is drawn: two for legs, one for any other."""
        match part:
            case "legs":
                return self.legs
            case "wing":
                return (self.wing,)
            case "tail":
                return (self.tail,)
            case "breast":
                return (self.body,)
            case _:
                return (within(self.body, self.head),)

    @property
    def ground(self) -> np.ndarray:
        """(2,) the place on the picture between the feet."""
        feet = [place(leg, [(1.02, 0.05)])[0] for leg in self.legs]
        return np.asarray(np.mean(feet, axis=0))


@dataclass(frozen=True, eq=False)
class Light:
    """The light of a scene.

    Args:
        towards: (2,) the direction towards the light, x to the right and y down.
        colour: (3,) factors of red, green and blue.
        slope: how much brighter the lit side of the picture is than the other.
    """

    towards: np.ndarray
    colour: np.ndarray
    slope: float


@dataclass(frozen=True, eq=False)
class Scene:
    """A habitat, its light, and a bird's pose, plumage and shades, without the looks of its parts.

    Args:
        seed: what all of it is drawn from.
        habitat: one of `HABITATS`.
        pose: where the parts are.
        light: how the picture is lit.
        plumage: the colour of the body between the parts.
        shades: for each part, how this bird's colours differ from the class's: hue and lightness
            are shifted, saturation is multiplied.
    """

    seed: int
    habitat: str
    pose: Pose
    light: Light
    plumage: Colour
    shades: Mapping[str, tuple[float, float, float]]

    def tint(self, part: str, colour: Colour) -> Colour:
        """A colour of a part, as this very bird has it."""
        shift, brighter, richer = self.shades[part]
        hue, lightness, saturation = colorsys.rgb_to_hls(*colour.tolist())
        lightness = min(max(lightness + brighter, 0.03), 0.97)
        return np.array(colorsys.hls_to_rgb((hue + shift) % 1, lightness, saturation * richer))


def scene(seed: int) -> Scene:
    """The scene of a seed."""
    rng = np.random.default_rng([seed, 0])
    habitat = HABITATS[rng.integers(len(HABITATS))]
    pose = _pose(rng)
    angle = math.radians(rng.uniform(-160, -20))
    warmth = rng.uniform(-1, 1)
    return Scene(
        seed=seed,
        habitat=habitat,
        pose=pose,
        light=Light(
            towards=np.array([math.cos(angle), math.sin(angle)]),
            colour=rng.uniform(0.82, 1.12) * np.array([1 + 0.07 * warmth, 1, 1 - 0.08 * warmth]),
            slope=rng.uniform(0, 0.25),
        ),
        plumage=np.array(PLUMAGES[rng.integers(len(PLUMAGES))]) / 255 * rng.uniform(0.9, 1.1),
        shades={
            part: (
                rng.uniform(-0.018, 0.018),
                rng.uniform(-0.045, 0.045),
                rng.uniform(0.82, 1.05),
            )
            for part in PARTS
        },
    )


def _pose(rng: np.random.Generator) -> Pose:
    flip = rng.choice([-1.0, 1.0])
    narrow = rng.uniform(0.8, 1)  # seen a little from the front or from behind
    pitch = -rng.uniform(2, 42)  # degrees; the breast is higher than the tail
    plump = rng.uniform(0.9, 1.14)
    view = np.diag([flip * narrow, 1])
    sides = view @ rotation(pitch, np.eye(2)).T @ np.diag([1, plump])
    body = frame((0, 0), sides[:, 0], sides[:, 1])  # in units of the body, for now

    neck = rng.uniform(0, 0.12)
    radius = rng.uniform(0.41, 0.47)
    turn = rng.uniform(-14, 18) - 0.75 * pitch  # a bird keeps its head level
    facing = rng.uniform(0.86, 1)  # the head turned a little towards us or away
    along, across = radius * rotation(turn, np.diag([facing, 1 / plump]))
    head = frame((0.72 + 0.5 * neck, -0.46 - neck), along, across)

    back = np.diag([1.0, -1.0])  # x to the tail, y down
    wing = frame((0.5, -0.2), *rotation(180 - rng.uniform(2, 16), back))
    tail = frame((-0.9, 0), *rotation(180 + rng.uniform(-18, 14), back))

    hips = place(body, [(-0.02, 0.36), (0.12, 0.4)])
    height = rng.uniform(0.64, 0.72)
    feet = hips + height * np.array([rng.uniform(-0.12, 0.12), 1])
    feet[:, 1] = feet[:, 1].max()
    legs = [
        frame(hip, foot - hip, height * view[:, 0]) for hip, foot in zip(hips, feet, strict=True)
    ]

    reach = np.vstack(
        [place(body, BODY_REACH), place(within(body, head), HEAD_REACH), moved(feet, (0, 0.1))]
    )
    low, high = reach.min(axis=0), reach.max(axis=0)
    scale = rng.uniform(0.76, 0.97) / (high - low).max()
    free = 1 - scale * (high - low)
    on_picture = frame(free * rng.uniform(0.1, 0.9, 2) - scale * low, (scale, 0), (0, scale))
    body = within(on_picture, body)
    return Pose(
        body=body,
        head=head,
        wing=within(body, wing),
        tail=within(body, tail),
        legs=(within(on_picture, legs[0]), within(on_picture, legs[1])),
    )
