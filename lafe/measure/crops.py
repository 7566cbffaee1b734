"""Accuracy of the proposed crop: beside the whole photo, and beside the true box.

Birds: test photos with their official boxes.  Cars: test photos of cars, which are box crops,
pasted into parts of bird photos without a bird, at a known place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from lafe.branches import FULL
from lafe.checkpoints.store import load
from lafe.checkpoints.trained import Trained
from lafe.data.photo import WHOLE, Box, crop
from lafe.explain.crop import propose
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import looks_unknown
from lafe.measure import records
from lafe.measure.outputs import open_test_split
from lafe.measure.router import outside

FILE = "crops.json"
SIDES = (0.3, 0.6)
"""Share of a background's sides that a pasted car takes, from and to."""

Case = tuple[Image.Image, Box, int]


@dataclass(frozen=True)
class Cropped:
    """Top-1 of the same photos, cropped in three ways.

    Attributes:
        what: the photos.
        checkpoint, sha256: of the model.
        photos: how many.
        proposed: of how many a crop was proposed; the others stay whole.
        offered: of how many it is offered, see `lafe.explain.crop`.
        whole, crop, box: top-1 with the whole photo, always the proposed crop, the true box.
        ruled: top-1 with the crop where it is offered, else the whole photo.
        overlap: mean intersection over union of the crop and the box.
    """

    what: str
    checkpoint: str
    sha256: str
    photos: int
    proposed: int
    offered: int
    whole: float
    crop: float
    box: float
    ruled: float
    overlap: float


Crops = dict[str, Cropped]
"""The contents of ``crops.json``, by checkpoint."""


def run(
    data: Path, out: Path, *, most: int | None = None, tell: Callable[[str], None] = print
) -> dict[str, Cropped]:
    """Measure both, and write ``crops.json``.

    Args:
        data: folder of the data sets.
        out: folder of the file.
        most: photos of each; all by default.
        tell: hears the results.
    """
    found = {}
    for name, what, cases in (
        ("birds", "test photos of birds, official boxes", _birds(data, most)),
        ("cars", "test photos of cars, pasted into backgrounds", _cars(data, most)),
    ):
        model = load(name)
        found[name] = _measure(what, model, cases)
        f = found[name]
        tell(
            f"{what}: top-1 whole {f.whole:.3f}, proposed crop {f.crop:.3f}, where it is offered "
            f"{f.ruled:.3f}, true box {f.box:.3f} ({f.photos} photos, {f.proposed} proposals, "
            f"{f.offered} offered, overlap {f.overlap:.2f})"
        )
    records.write(out / FILE, found)
    return found


def _measure(what: str, model: Trained, cases: Iterator[Case]) -> Cropped:
    rows: list[dict[str, Any]] = []
    for photo, box, label in cases:
        whole = prepare(model, photo)
        proposal = propose(whole, photo, model)
        cut = WHOLE if proposal is None else proposal.box
        offered = proposal is not None and proposal.closer and looks_unknown(whole)
        right = {part: _says(prepare(model, crop(photo, part))) == label for part in (cut, box)}
        right[WHOLE] = _says(whole) == label
        rows.append(
            {
                "whole": right[WHOLE],
                "crop": right[cut],
                "box": right[box],
                "ruled": right[cut if offered else WHOLE],
                "overlap": _overlap(cut, box),
                "proposed": proposal is not None,
                "offered": offered,
            }
        )

    def mean(name: str) -> float:
        return fmean(row[name] for row in rows)

    return Cropped(
        what,
        model.card.name,
        model.card.sha256,
        len(rows),
        proposed=sum(row["proposed"] for row in rows),
        offered=sum(row["offered"] for row in rows),
        whole=mean("whole"),
        crop=mean("crop"),
        box=mean("box"),
        ruled=mean("ruled"),
        overlap=mean("overlap"),
    )


def _says(photo: Prepared) -> int:
    return int(photo.logits(FULL).argmax())


def _birds(data: Path, most: int | None) -> Iterator[Case]:
    photos = open_test_split("cub", data)
    assert photos.boxes is not None
    for i in _order(len(photos), most):
        photo = photos.photo(i)
        x, y, width, height = photos.boxes[i].tolist()
        w, h = photo.size
        box = (
            max(0.0, x / w),
            max(0.0, y / h),
            min(1.0, (x + width) / w),
            min(1.0, (y + height) / h),
        )
        yield photo, box, photos.labels[i]  # some boxes end a pixel outside


def _cars(data: Path, most: int | None) -> Iterator[Case]:
    cars = open_test_split("cars", data)
    backgrounds = list(outside(open_test_split("cub", data), 60))
    for i in _order(len(cars), most):
        rng = random.Random(i)
        car, behind = cars.photo(i), backgrounds[i % len(backgrounds)]
        scene = behind.resize((480, 360))
        share = rng.uniform(*SIDES)
        scale = min(share * 480 / car.width, share * 360 / car.height)
        small = car.resize((max(24, round(car.width * scale)), max(24, round(car.height * scale))))
        x, y = rng.randint(0, 480 - small.width), rng.randint(0, 360 - small.height)
        scene.paste(small, (x, y))
        box = (x / 480, y / 360, (x + small.width) / 480, (y + small.height) / 360)
        yield scene, box, cars.labels[i]


def _order(count: int, most: int | None) -> list[int]:
    return random.Random(0).sample(range(count), min(count, most or count))


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""

    def area(box: Box) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    both = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return both / (area(a) + area(b) - both)
