"""FunnyBirds (Hesse et al., ICCV 2023), in the folder that its authors publish.

classes.json                             the look of each part of each class, as a number
dataset_train.json, dataset_test.json    of each picture its class and its background
train/CLASS/000000.png                   the pictures, numbered through, with an alpha channel
test_part_map/CLASS/000000.png           in colours, what each pixel shows
test_interventions/CLASS/000000/         body_beak_eye.png: with these parts alone;
                                         background_interventions/0.png: without a thing
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.layout import locate
from lafe.data.photo import open_photo

FOLDER = "FunnyBirds"
FILES = ("classes.json", "dataset_train.json", "dataset_test.json", "train", "test")
COLOURS = {
    **{(255, 255, 253): "eye", (255, 255, 254): "eye", (255, 255, 0): "beak"},
    **{(255, 0, 1): "foot", (255, 0, 2): "foot", (0, 255, 1): "wing", (0, 255, 2): "wing"},
    (0, 0, 255): "tail",
}
"""The colours of a part map; things of the background are (204, 204, 204 + their number)."""
THING = 204
DISTANCE = 3  # of rivals, in parts


def read_funnybirds(root: str | Path, *, train: bool) -> PhotoDataset:
    """The train or test split of the folder that is `root` or is in it.

    Raises:
        DataError: a file is missing or cannot be parsed.
    """
    home = locate(root, FOLDER, FILES)
    split = "train" if train else "test"
    entries = _json(home / f"dataset_{split}.json")
    return PhotoDataset(
        name=FOLDER,
        paths=[_picture(home / split, entry, i) for i, entry in enumerate(entries)],
        labels=[int(entry["class_idx"]) for entry in entries],
        home=home,
        classes=class_names(home),
    )


def class_names(home: Path) -> list[str]:
    """The classes have numbers only: "Bird 00", "Bird 01", ..."""
    return [f"Bird {i:02}" for i in range(len(_json(home / "classes.json")))]


def class_looks(home: Path) -> list[dict[str, int]]:
    """The look of each part of each class."""
    return [dict(entry["parts"]) for entry in _json(home / "classes.json")]


@dataclass(frozen=True)
class FunnyBird:
    """A test picture that can be had without some parts, or without one thing beside it.

    Args:
        home: folder of the data set.
        number: of the picture.
        label: its class.
        parts, things: the names of what can be taken away.
    """

    home: Path
    number: int
    label: int
    parts: tuple[str, ...]
    things: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.label}/{self.number:06}.png"

    def photo(self, without: Collection[str] = ()) -> Image.Image:
        """The picture that the authors drew for this.

        Raises:
            DataError: they drew none, since parts and things are not taken away together.
            lafe.PhotoError: it cannot be read.
        """
        if not without:
            return open_photo(self.home / "test" / self.name)
        folder = self.home / "test_interventions" / str(self.label) / f"{self.number:06}"
        if set(without) <= set(self.parts):
            kept = "_".join(sorted(set(self.parts) - set(without)))
            return open_photo(folder / f"body_{kept}.png")
        if len(without) == 1 and (thing := next(iter(without))) in self.things:
            number = self.things.index(thing)
            return open_photo(folder / "background_interventions" / f"{number}.png")
        raise DataError(f"{self.name}: there is no picture without {', '.join(sorted(without))}.")

    def masks(self) -> Mapping[str, np.ndarray]:
        """The seen pixels of each part and thing, (S, S) bool."""
        with Image.open(self.home / "test_part_map" / self.name) as file:
            pixels = np.array(file.convert("RGB"))
        found = {name: np.zeros(pixels.shape[:2], dtype=bool) for name in self.parts}
        for colour, part in COLOURS.items():
            if part in found:
                found[part] |= (pixels == colour).all(2)
        for i, thing in enumerate(self.things):
            found[thing] = (pixels == (THING, THING, THING + i)).all(2)
        return found


def birds_of_test(root: str | Path, count: int) -> tuple[Path, list[FunnyBird]]:
    """The folder, and the first test pictures.

    Raises:
        DataError: a file is missing or cannot be parsed.
    """
    home = locate(root, FOLDER, (*FILES, "test_part_map", "test_interventions"))
    looks = class_looks(home)
    birds = []
    for i, entry in enumerate(_json(home / "dataset_test.json")[:count]):
        label = int(entry["class_idx"])
        listed = next((str(v) for k, v in sorted(entry.items()) if k.startswith("bg_")), "")
        things = tuple(f"bg_{k:03}" for k in range(len(re.findall(r"\b\d+\b", listed))))
        birds.append(FunnyBird(home, i, label, tuple(looks[label]), things))
    return home, birds


def _picture(folder: Path, entry: dict[str, Any], number: int) -> Path:
    return folder / str(entry["class_idx"]) / f"{number:06}.png"


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON ({error}).") from error
