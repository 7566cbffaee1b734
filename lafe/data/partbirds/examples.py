"""Pictures to begin with, for people without a photo; stored as seeds, drawn when asked for."""

from dataclasses import dataclass

from lafe.data.partbirds.classes import CLASSES, BirdClass
from lafe.data.partbirds.picture import Picture, draw


@dataclass(frozen=True)
class Example:
    """A picture with a title.

    Args:
        title: a few words on what to see in it.
        bird: its species.
        scene_seed: of its scene.
        without: parts that are missing.
    """

    title: str
    bird: BirdClass
    scene_seed: int
    without: tuple[str, ...] = ()

    def draw(self, size: int = 448) -> Picture:
        """The picture itself; the same size gives the same pixels."""
        return draw(self.bird, self.scene_seed, size=size, without=self.without)


_EXAMPLES = (
    ("Black cap, forked tail", "Painted Reedling", 103, ()),
    ("Its look-alike: no black cap", "Fork-tailed Reedling", 103, ()),
    ("A mask beside a rosy breast", "Masked Lanternbill", 114, ()),
    ("Blue feet among reeds", "Blue-footed Tidewren", 110, ()),
    ("A speckled throat, and no beak", "Speckle-throated Cloudlark", 121, ("beak",)),
)


def examples() -> tuple[Example, ...]:
    """A handful of pictures, always the same ones."""
    birds = {bird.name: bird for bird in CLASSES}
    return tuple(Example(title, birds[name], *how) for title, name, *how in _EXAMPLES)
