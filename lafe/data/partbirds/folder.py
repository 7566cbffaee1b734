"""A folder of PartBirds in the layout of CUB-200-2011, with the truth about every picture.

    images.txt, image_class_labels.txt, train_test_split.txt, classes.txt, bounding_boxes.txt,
    parts/parts.txt, parts/part_locs.txt     as in CUB-200-2011
    images/CLASS/FILE.png                    the pictures, lossless
    masks/CLASS/FILE.png                     what each pixel shows: an index into `layers`
    partbirds.json                           the parts of each class, the scene of each picture

In half of the training pictures a random set of parts is missing, so that a picture without a part
is nothing new to a model.  Test pictures are whole.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lafe.data.cub import TRUTH
from lafe.data.dataset import DataError
from lafe.data.partbirds.classes import CLASSES, BirdClass
from lafe.data.partbirds.looks import PARTS
from lafe.data.partbirds.picture import LAYERS, Picture, draw, require_size


@dataclass(frozen=True)
class Shot:
    """A picture to be drawn.

    Args:
        bird: its species.
        scene_seed: of its scene.
        without: the parts that are missing.
        train: whether it is for training.
        file: its place in `images` and in `masks`.
    """

    bird: BirdClass
    scene_seed: int
    without: tuple[str, ...]
    train: bool
    file: str

    def draw(self, size: int) -> Picture:
        """The picture itself."""
        return draw(self.bird, self.scene_seed, size=size, without=self.without)


def shots(seed: int, train: int, test: int) -> list[Shot]:
    """All pictures of a data set: `train` and `test` of each class, every one in its own scene.

    The first of more pictures are the same as of fewer.

    Raises:
        DataError: the seed is negative, or there is no picture for training or none for testing.
    """
    if seed < 0:
        raise DataError(f"The seed is {seed}; choose 0 or more.")
    if train < 1 or test < 1:
        raise DataError(
            f"{train} training and {test} test pictures a class are too few; choose 1 or more."
        )
    return [
        _shot(seed, bird, for_training, k)
        for bird in CLASSES
        for for_training, count in ((True, train), (False, test))
        for k in range(count)
    ]


def _shot(seed: int, bird: BirdClass, train: bool, k: int) -> Shot:
    rng = np.random.default_rng([seed, CLASSES.index(bird), int(train), k])
    scene_seed = int(rng.integers(2**53))  # what every reader of JSON holds exactly
    without: tuple[str, ...] = ()
    if train and rng.random() < 0.5:
        gone = rng.choice(len(PARTS), rng.integers(1, len(PARTS)), replace=False)
        without = tuple(part for i, part in enumerate(PARTS) if i in gone)
    name = f"{bird.name.replace(' ', '_')}_{'train' if train else 'test'}_{k + 1:04}.png"
    return Shot(bird, scene_seed, without, train, f"{class_folder(bird)}/{name}")


def write(
    home: Path, *, seed: int = 0, train: int = 60, test: int = 20, size: int = 320
) -> list[Shot]:
    """Draw a data set into the folder `home`; returns its pictures in the order of `images.txt`.

    The same arguments give the same bytes, with the same versions of NumPy and OpenCV.

    Args:
        home: a new or empty folder.
        seed: of everything but the classes, which are always the same.
        train: pictures of each class for training.
        test: pictures of each class for testing.
        size: side in pixels.

    Raises:
        DataError: `home` holds files, or an argument is out of range.
    """
    todo = shots(seed, train, test)
    require_size(size)
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise DataError(f"{home} is not an empty folder; choose a new one.")
    boxes, points, scenes = [], [], []
    for number, shot in enumerate(tqdm(todo, unit="picture", disable=None), start=1):
        picture = shot.draw(size)
        _write_png(home / "images" / shot.file, picture.image[..., ::-1])
        _write_png(home / "masks" / shot.file, picture.labels)
        boxes.append(f"{number} {' '.join(map(str, picture.box))}")
        points += [
            f"{number} {part} {x:.1f} {y:.1f} {int(visible)}"
            for part, (x, y, visible) in enumerate(picture.points.tolist(), start=1)
        ]
        scenes.append(
            {
                "file": shot.file,
                "scene_seed": shot.scene_seed,
                "without": shot.without,
                "things": picture.things,
            }
        )
    # After the pictures, so that a folder whose making was cut is never taken for a whole one.
    _write_lines(home / "bounding_boxes.txt", boxes)
    _write_lines(home / "parts" / "parts.txt", _numbered(PARTS))
    _write_lines(home / "parts" / "part_locs.txt", points)
    _write_lines(home / "classes.txt", _numbered([class_folder(bird) for bird in CLASSES]))
    _write_lines(home / "images.txt", _numbered([shot.file for shot in todo]))
    _write_lines(
        home / "image_class_labels.txt", _numbered([CLASSES.index(shot.bird) + 1 for shot in todo])
    )
    _write_lines(home / "train_test_split.txt", _numbered([int(shot.train) for shot in todo]))
    classes = [
        {"name": bird.name, "genus": bird.genus, "parts": {p: asdict(bird.parts[p]) for p in PARTS}}
        for bird in CLASSES
    ]
    truth = {"seed": seed, "size": size, "layers": LAYERS, "classes": classes, "pictures": scenes}
    (home / TRUTH).write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return todo


def shown(picture: Path) -> np.ndarray:
    """The layer that each pixel of a picture of such a folder shows, (S, S) uint8: in `LAYERS`,
    or above them a thing of the scene.

    Raises:
        DataError: the mask is missing or cannot be read.
    """
    *home, _, species, file = picture.parts
    path = Path(*home) / "masks" / species / file
    labels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if labels is None:
        raise DataError(f"{path} cannot be read: draw the folder again, with `lafe partbirds`.")
    return labels


def class_folder(bird: BirdClass) -> str:
    """The folder of a species, named as in CUB-200-2011: `001.Common_Reedling`."""
    return f"{CLASSES.index(bird) + 1:03}.{bird.name.replace(' ', '_')}"


def _numbered(values: Sequence[object]) -> list[str]:
    return [f"{number} {value}" for number, value in enumerate(values, start=1)]


def _write_png(path: Path, pixels: np.ndarray) -> None:
    encoded, data = cv2.imencode(".png", pixels)
    if not encoded:
        raise DataError(f"{path} cannot be encoded as a PNG.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
