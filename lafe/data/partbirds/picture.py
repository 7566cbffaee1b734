"""One call draws one bird in one scene, and says what each pixel shows.

Example:
    >>> from lafe.data import partbirds
    >>> bird = partbirds.CLASSES[0]
    >>> whole = partbirds.draw(bird, 7)
    >>> blind = partbirds.draw(bird, 7, without=["eye"])
    >>> bool((whole.image != blind.image).any())
    True
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np

from lafe.data.dataset import DataError
from lafe.data.partbirds import head, trunk
from lafe.data.partbirds.backdrop import backdrop
from lafe.data.partbirds.canvas import Canvas, Drawing, Layer, roundness
from lafe.data.partbirds.classes import BirdClass
from lafe.data.partbirds.geometry import frame
from lafe.data.partbirds.looks import PARTS, Look, require_look
from lafe.data.partbirds.scene import Light, Scene, scene
from lafe.data.partbirds.things import Thing, things

DRAWN_BY = {
    "beak": head.beak,
    "eye": head.eye,
    "crown": head.crown,
    "throat": head.throat,
    "breast": trunk.breast,
    "wing": trunk.wing,
    "tail": trunk.tail,
    "legs": trunk.legs,
}
BEHIND = ("tail", "legs", "beak")  # parts that the body hides in part, from the back to the front
CUT = ("breast", "throat")  # parts upon the body that end where it ends
UPON = ("crown", "eye", "wing")  # parts upon the body that may reach beyond it
LAYERS = ("backdrop", *PARTS, "body")  # what the labels 0, 1, ... mean; things of the scene follow
MIN_SIZE = 32  # pixels


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and the truth about it.

    Args:
        image: (S, S, 3) uint8, RGB.
        labels: (S, S) uint8, an index into `layers`: what covers at least half of a pixel.
        layers: `LAYERS` and the names of the scene's things.
    """

    image: np.ndarray
    labels: np.ndarray
    layers: tuple[str, ...]

    @property
    def things(self) -> tuple[str, ...]:
        """The names of what can be taken out of the scene: perch, twigs, leaves, reeds."""
        return self.layers[len(LAYERS) :]

    def mask(self, layer: str) -> np.ndarray:
        """(S, S) bool: where a layer is seen; what other layers hide is not.

        Raises:
            DataError: the picture has no such layer.
        """
        if layer not in self.layers:
            raise DataError(
                f"No layer is called {layer!r}; choose one of {', '.join(self.layers)}."
            )
        seen: np.ndarray = self.labels == self.layers.index(layer)
        return seen

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """(S, S) bool for each of `PARTS`: where it is seen."""
        return {part: self.mask(part) for part in PARTS}

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width, height in pixels of what is seen of the bird."""
        bird = (self.labels > 0) & (self.labels < len(LAYERS))
        x, y, width, height = cv2.boundingRect(bird.astype(np.uint8))
        return float(x), float(y), float(width), float(height)

    @property
    def points(self) -> np.ndarray:
        """(8, 3) float for `PARTS`: x and y in pixels and 1; zeros if nothing of it is seen.

        The place is the seen pixel that is nearest to the middle of all of them.
        """
        found = np.zeros((len(PARTS), 3))
        for i, mask in enumerate(self.masks.values()):
            y, x = np.nonzero(mask)
            if len(x):
                nearest = np.argmin((x - x.mean()) ** 2 + (y - y.mean()) ** 2)
                found[i] = x[nearest], y[nearest], 1
        return found


def draw(
    bird: BirdClass,
    scene_seed: int,
    *,
    size: int = 320,
    without: Collection[str] = (),
    change: Mapping[str, Look] | None = None,
) -> Picture:
    """Draw a bird in a scene.

    The same arguments give the same picture.  A seed gives the same scene whatever the bird, so
    two calls that differ in `without` or `change` give a pair that differs in nothing else.

    Args:
        bird: the species.
        scene_seed: 0 or more; pose, proportions, light, hues, habitat, perch and twigs.
        size: side in pixels, 32 or more.
        without: parts of the bird, and things of the scene, that are not drawn.
        change: how some parts look, instead of as the species.

    Raises:
        DataError: the seed or the size is too small, a part or a thing is unknown, or a part cannot
            look so.
    """
    if scene_seed < 0:
        raise DataError(f"The scene's seed is {scene_seed}; choose 0 or more.")
    require_size(size)
    for part, look in (change or {}).items():
        require_look(part, look)
    around, stuff = _scene(scene_seed)
    names = [thing.name for thing in stuff]
    for name in without:
        if name not in (*PARTS, *names):
            raise DataError(
                f"Nothing in this picture is called {name!r}; "
                f"choose from {', '.join((*PARTS, *names))}."
            )

    canvas = Canvas(backdrop(around, size), around.light.towards)
    kept = [(k, thing) for k, thing in enumerate(stuff, len(LAYERS)) if thing.name not in without]
    looks = {**bird.parts, **(change or {})}
    _paint_things(canvas, [(k, thing) for k, thing in kept if not thing.in_front])
    _paint_bird(canvas, around, {p: looks[p] for p in PARTS if p not in without})
    _paint_things(canvas, [(k, thing) for k, thing in kept if thing.in_front])
    return Picture(_exposed(canvas.image, around.light), canvas.labels, (*LAYERS, *names))


def require_size(size: int) -> None:
    """Check that a bird can be seen on `size` x `size` pixels.

    Raises:
        DataError: it cannot.
    """
    if size < MIN_SIZE:
        raise DataError(f"A picture of {size} pixels is too small; choose {MIN_SIZE} or more.")


@lru_cache(maxsize=16)
def _scene(seed: int) -> tuple[Scene, tuple[Thing, ...]]:
    """A scene and its things; an intervention asks for the same one again."""
    around = scene(seed)
    return around, things(around)


@lru_cache(maxsize=512)
def _drawing(part: str, look: Look) -> Drawing:
    return DRAWN_BY[part](look)


def _paint_things(canvas: Canvas, chosen: list[tuple[int, Thing]]) -> None:
    picture = frame((0, 0), (1, 0), (0, 1))
    for label, thing in chosen:
        for drawing in thing.drawings:
            canvas.paint(Layer(drawing, picture, label))


def _paint_bird(canvas: Canvas, around: Scene, looks: Mapping[str, Look]) -> None:
    pose = around.pose
    body = trunk.body(around.plumage, pose.head)
    # From the body alone, so that a part that changes does not change how others are lit.
    shade = roundness(body.outlines, pose.body, canvas.size, canvas.light)

    def layers(parts: Sequence[str]) -> list[Layer]:
        return [
            Layer(_drawing(part, looks[part]), at, LAYERS.index(part), partial(around.tint, part))
            for part in parts
            if part in looks
            for at in pose.frames(part)
        ]

    for layer in layers(BEHIND):
        canvas.paint(layer, shade=shade)
    canvas.paint(Layer(body, pose.body, LAYERS.index("body")), upon=layers(CUT), shade=shade)
    for layer in layers(UPON):
        canvas.paint(layer, shade=shade)


def _exposed(image: np.ndarray, light: Light) -> np.ndarray:
    """(S, S, 3) uint8 under the scene's light."""
    aside = np.linspace(-0.5, 0.5, image.shape[1], dtype=np.float32)
    x, y = light.towards.astype(np.float32)
    slope = 1 + np.float32(light.slope) * (x * aside + y * aside[:, None])
    lit = image * slope * (255 * light.colour).astype(np.float32)[:, None, None]
    return np.stack([cv2.convertScaleAbs(channel) for channel in lit], axis=2)
