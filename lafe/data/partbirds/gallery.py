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


_BIRDS = {bird.name: bird for bird in CLASSES}
_EXAMPLES = (
    Example("Black cap, forked tail", _BIRDS["Painted Reedling"], 103),
    Example("Its look-alike: no black cap", _BIRDS["Fork-tailed Reedling"], 103),
    Example("A mask beside a rosy breast", _BIRDS["Masked Lanternbill"], 114),
    Example("Blue feet among reeds", _BIRDS["Blue-footed Tidewren"], 110),
    Example("A speckled throat, and no beak", _BIRDS["Speckle-throated Cloudlark"], 121, ("beak",)),
    # Without the confusable branches another species is named: scripts/flips.py found it.
    Example("No wing: the answer hangs on C", _BIRDS["Painted Tidewren"], 395, ("wing",)),
)


def examples() -> tuple[Example, ...]:
    """A handful of pictures, always the same ones."""
    return _EXAMPLES
