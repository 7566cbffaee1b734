"""Pictures of which parts and things can be taken away, and a model's answers without them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Switches
from lafe.checkpoints.trained import Trained
from lafe.data.funnybirds import DISTANCE, birds_of_test, class_looks, class_names
from lafe.data.partbirds import CLASSES, PARTS, BirdClass, Shot, draw, shots
from lafe.explain.ablation import factorials, shapley
from lafe.measure.faithfulness.parts import Looks, Parts

BATCH = 16


class Intervened(Protocol):
    """A test picture that can be had without some of its parts, and without things beside it.

    Attributes:
        name: of its file.
        label: an index into the classes of its data set.
        parts, things: the names of what can be taken away.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> int: ...
    @property
    def parts(self) -> tuple[str, ...]: ...
    @property
    def things(self) -> tuple[str, ...]: ...

    def photo(self, without: Collection[str] = ()) -> Image.Image:
        """The picture without some parts, or without some things."""

    def masks(self) -> Mapping[str, np.ndarray]:
        """(S, S) bool for each part and thing: where it is seen."""


@dataclass(frozen=True)
class Benchmark:
    """Test pictures, and how the parts of each class look.

    Attributes:
        name: of the data set.
        classes: names of the classes.
        looks: of each class.
        distance: of rivals, in parts (:func:`lafe.measure.faithfulness.parts.rivals`).
        pictures: the test pictures.
    """

    name: str
    classes: tuple[str, ...]
    looks: Sequence[Looks]
    distance: int
    pictures: Sequence[Intervened]


class Drawn:
    """A test picture of PartBirds, drawn when it is asked for."""

    def __init__(self, shot: Shot, size: int) -> None:
        self.shot, self.size = shot, size
        self.name = shot.file
        self.label = CLASSES.index(shot.bird)
        self.parts = PARTS
        self._whole = shot.draw(size)
        self.things = self._whole.things

    def photo(self, without: Collection[str] = ()) -> Image.Image:
        """The same scene without some parts or things."""
        if not without:
            return Image.fromarray(self._whole.image)
        bird: BirdClass = self.shot.bird
        found = draw(bird, self.shot.scene_seed, size=self.size, without=tuple(without))
        return Image.fromarray(found.image)

    def masks(self) -> Mapping[str, np.ndarray]:
        """The seen pixels of each part and thing."""
        return {name: self._whole.mask(name) for name in (*self.parts, *self.things)}


class _Drawings(Sequence[Intervened]):
    """Test pictures of PartBirds, one of each genus after the other, then of each species."""

    def __init__(self, count: int, size: int, seed: int = 0) -> None:
        each = -(-count // len(CLASSES))
        of_species = [
            [shot for shot in shots(seed, 1, each) if shot.bird == bird and not shot.train]
            for bird in CLASSES
        ]
        genera = list(dict.fromkeys(bird.genus for bird in CLASSES))
        places = {genus: iter(range(len(CLASSES))) for genus in genera}
        turn = [next(places[bird.genus]) for bird in CLASSES]
        order = sorted(range(len(CLASSES)), key=turn.__getitem__)
        self._shots = [of_species[i][k] for k in range(each) for i in order][:count]
        self._size = size

    def __len__(self) -> int:
        return len(self._shots)

    def __getitem__(self, index: int) -> Drawn:  # type: ignore[override]
        return Drawn(self._shots[index], self._size)


def partbirds(count: int, size: int) -> Benchmark:
    """The first test pictures of PartBirds (seed 0), as many of each species, drawn at one size."""
    return Benchmark(
        "PartBirds",
        tuple(bird.name for bird in CLASSES),
        [bird.parts for bird in CLASSES],
        1,
        _Drawings(count, size),
    )


def funnybirds(root: str | Path, count: int) -> Benchmark:
    """The first test pictures of the official data.

    Raises:
        lafe.data.DataError: it is missing or broken.
    """
    home, birds = birds_of_test(root, count)
    return Benchmark("FunnyBirds", tuple(class_names(home)), class_looks(home), DISTANCE, birds)


class Answers:
    """A model's logits for a picture without this and that; each is asked for once."""

    def __init__(self, model: Trained, picture: Intervened, *, bfloat16: bool = False) -> None:
        self.model, self.picture, self.bfloat16 = model, picture, bfloat16
        self._known: dict[Parts, Tensor] = {}

    def input(self, without: Collection[str] = ()) -> Tensor:
        """The picture as the model reads it, (1, 3, S, S)."""
        return self.model.preprocess(self.picture.photo(sorted(without)))

    @torch.no_grad()
    def ask(self, many: Iterable[Parts]) -> None:
        """Have the logits without each of several sets, in batches."""
        todo = [each for each in dict.fromkeys(many) if each not in self._known]
        for i in range(0, len(todo), BATCH):
            some = todo[i : i + BATCH]
            x = torch.cat([self.input(without) for without in some])
            x = x.to(self.model.classifier.weight).contiguous(memory_format=torch.channels_last)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bfloat16):
                logits = self.model(x, Switches.all()).float().cpu()
            self._known |= dict(zip(some, logits, strict=True))

    def logits(self, without: Parts = frozenset()) -> Tensor:
        """Logits (K,) without some parts or things."""
        self.ask([without])
        return self._known[without]

    def predict(self, without: Parts) -> int:
        """The class that is predicted without some parts."""
        return int(self.logits(without).argmax())

    def masks(self) -> dict[str, np.ndarray]:
        """The places of each part and thing in the model's input, (S, S) bool."""
        side, inner = self.model.preprocess.resize, self.model.preprocess.input_size
        edge = (side - inner) // 2
        cut = slice(edge, edge + inner)
        return {
            name: cv2.resize(
                mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST
            ).astype(bool)[cut, cut]
            for name, mask in self.picture.masks().items()
        }

    def reads(self, directions: Tensor) -> Tensor:
        """The part of each branch's worth that hangs on a part: Shapley values of Shapley values.

        A branch's worth is its exact Shapley value in the game of the twelve switches.  It is taken
        of the picture without every set of parts, and shared out among the parts as exactly.

        Shape: directions (K, N), combinations of logits -> (N, 12 branches, parts) float64.
        """
        parts = self.picture.parts
        worth = []
        for some in range(0, 1 << len(parts), BATCH):
            sets = range(some, min(some + BATCH, 1 << len(parts)))
            x = torch.cat(
                [self.input([p for i, p in enumerate(parts) if not s >> i & 1]) for s in sets]
            ).to(self.model.classifier.weight)
            for table in factorials(self.model, x):
                games = table.all_logits() @ directions.double()
                worth.append(torch.stack([shapley(game) for game in games.T]))
        found = torch.stack(worth)  # (2^parts, N, 12)
        out = torch.empty(directions.shape[1], len(EVERY_BRANCH), len(parts), dtype=torch.float64)
        for n, branch in np.ndindex(out.shape[:2]):
            out[n, branch] = shapley(found[:, n, branch])
        return out
