"""Fit and measure the router: which model should look at a photo?

It is fitted on training photos of the three data sets, on drawn birds, and on what stands for
"other": parts of bird photos outside of the bird's box, and soft spots of colour.  How readily it
says "other" is chosen by cross-validation on the same photos.  Photos of other things, where a
folder of them is given, are for the test alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from lafe.checkpoints.store import available, load
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, load_benchmark
from lafe.data.partbirds import CLASSES, draw
from lafe.data.photo import open_photo
from lafe.data.walk import walk
from lafe.explain.prepare import prepare
from lafe.explain.router import FILE, KINDS, OTHER, Router, fit, pooled
from lafe.explain.unknown import looks_unknown
from lafe.measure import records
from lafe.measure.outputs import open_test_split

REPORT = "router.json"
BENCHMARKS = {"bird": "cub", "car": "cars", "aircraft": "aircraft"}
FOLDS = 5
"""Parts of the photos, each left out of a fit in turn."""
LOST = 0.005
"""Share of each known kind's photos, left out in turn, that may be called other."""
LEAST = 60  # px, the shorter side of a part without a bird
TRAINING_SCENES, TEST_SCENES = 5_000_000, 7_000_000  # of drawn birds

Photos = Iterator[Image.Image]


@dataclass(frozen=True)
class Reached:
    """Test photos of a kind, and where they went.

    Attributes:
        what: the photos.
        photos: how many.
        share: that reached their kind.
        went: how many went to each kind.
    """

    what: str
    photos: int
    share: float
    went: dict[str, int]


@dataclass(frozen=True)
class Others:
    """Test photos of other things.

    Attributes:
        what: the photos.
        photos: how many.
        other: how many the router calls other.
        no_match: how many get no match in the end: from the router, or from the model that they
            went to, which finds them unfamiliar.
    """

    what: str
    photos: int
    other: int
    no_match: int


@dataclass(frozen=True)
class Routed:
    """Measurements of a router.

    Attributes:
        checkpoint, sha256: whose backbone it reads.
        training: photos of each kind that it was fitted on.
        kinds: by kind, test photos.
        others: test photos of other things; None if none were given.
    """

    checkpoint: str
    sha256: str
    training: dict[str, int]
    kinds: dict[str, Reached]
    others: Others | None


def run(
    checkpoint: str,
    data: Path,
    out: Path,
    *,
    most: int = 1500,
    tested: int | None = None,
    others: Path | None = None,
    without: tuple[str, ...] = (),
    tell: Callable[[str], None] = print,
) -> Routed:
    """Fit a router, measure it, and write both files.

    Args:
        checkpoint: whose backbone it reads.
        data: folder of the three data sets.
        out: where ``router.safetensors`` and ``router.json`` go.
        most: training photos of a kind.
        tested: test photos of a data set; all by default.
        others: folder of photos of other things.
        without: names of files there that do show a kind that is known.
        tell: hears how far it is.

    Raises:
        lafe.data.DataError: a data set is missing.
    """
    model = load(checkpoint)
    features, labels, counts = [], [], {}
    for place, (kind, photos) in enumerate(_training(data, most).items()):
        features.append(_features(model, photos))
        counts[kind] = len(features[-1])
        labels.append(torch.full((counts[kind],), place))
        tell(f"{counts[kind]} training photos of the kind {kind!r}")
    weight, bias = fitted(torch.cat(features), torch.cat(labels))
    router = Router(weight, bias, checkpoint, model.card.sha256)
    kinds = {}
    for kind, (what, photos) in _test(data, tested).items():
        found = router.probabilities(_features(model, photos)).argmax(1)
        went = found.bincount(minlength=len(KINDS)).tolist()
        share = went[list(KINDS).index(kind)] / len(found)
        kinds[kind] = Reached(what, len(found), share, dict(zip(KINDS, went, strict=True)))
        tell(f"{kind}: {100 * share:.1f} % of {len(found)} test photos ({what})")
    last = None if others is None else _others(router, model, others, without)
    routed = Routed(checkpoint, model.card.sha256, counts, kinds, last)
    out.mkdir(parents=True, exist_ok=True)
    router.write(out / FILE)
    records.write(out / REPORT, routed)
    return routed


@torch.no_grad()
def _features(model: Trained, photos: Photos) -> Tensor:
    """The features that a router reads, (N, C)."""
    return torch.cat([pooled(model.features(model.preprocess(photo))) for photo in photos])


def _training(data: Path, most: int) -> dict[str, Photos]:
    birds = load_benchmark("cub", data, "train")
    known = {
        kind: _some(load_benchmark(name, data, "trainval"), most)
        for kind, name in BENCHMARKS.items()
    }
    return known | {
        "drawn bird": _drawn(most // 3, TRAINING_SCENES),
        OTHER: _chain(outside(birds, most // 2), _spots(most // 10, TRAINING_SCENES)),
    }


def fitted(x: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """A router's layer that keeps at least ``1 - LOST`` of each known kind's photos from "other".

    The score of "other" is lowered until that holds for photos that were left out of the fit, fold
    by fold.  A photo of another thing is then left to the threshold of the model that it goes to.

    Args:
        x: (N, C).
        kinds: (N,) indices into ``KINDS``.

    Shape: weight (kinds, C), bias (kinds,).
    """
    place = list(KINDS).index(OTHER)
    fold = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(0)) % FOLDS
    leads = torch.zeros(len(kinds))
    for left_out in (fold == i for i in range(FOLDS)):
        weight, bias = fit(x[~left_out], kinds[~left_out])
        scores = x[left_out] @ weight.T + bias
        known = scores.index_fill(1, torch.tensor(place), -torch.inf).amax(1)
        leads[left_out] = scores[:, place] - known
    weight, bias = fit(x, kinds)
    given = set(kinds.tolist()) - {place}
    needed = max(float(torch.quantile(leads[kinds == kind], 1 - LOST)) for kind in given)
    lowered = torch.zeros(len(KINDS)).index_fill(0, torch.tensor(place), max(needed, 0.0))
    return weight, bias - lowered


def _test(data: Path, tested: int | None = None) -> dict[str, tuple[str, Photos]]:
    splits = {kind: open_test_split(name, data) for kind, name in BENCHMARKS.items()}
    known = {
        kind: (f"test photos of {BENCHMARKS[kind]}", _some(split, tested or len(split)))
        for kind, split in splits.items()
    }
    nothing = _chain(outside(splits["bird"], 200), _spots(50, TEST_SCENES))
    return known | {
        "drawn bird": ("drawn birds of scenes not fitted on", _drawn(200, TEST_SCENES)),
        OTHER: ("parts of test photos of birds outside of their boxes, and soft spots", nothing),
    }


def _others(router: Router, model: Trained, folder: Path, without: tuple[str, ...]) -> Others:
    paths = [p for p in walk([folder]).photos if p.name not in without]
    own_models = {name: load(name) for name in KINDS.values() if name in available()}
    other, no_match = 0, 0
    for path in paths:
        photo = open_photo(path)
        kind = router.kind(prepare(model, photo))
        own = own_models.get(KINDS[kind] or "")
        other += kind == OTHER
        no_match += own is None or looks_unknown(prepare(own, photo))
    return Others("photos of other things, from elsewhere", len(paths), other, no_match)


def _some(dataset: PhotoDataset, most: int) -> Photos:
    order = random.Random(0).sample(range(len(dataset)), min(most, len(dataset)))
    return (dataset.photo(i) for i in order)


def outside(dataset: PhotoDataset, most: int) -> Photos:
    """The largest part of a photo beside its bird's box, where it is not too narrow."""
    assert dataset.boxes is not None
    found = 0
    for i in random.Random(1).sample(range(len(dataset)), len(dataset)):
        photo = dataset.photo(i)
        left, top, width, height = map(int, dataset.boxes[i].tolist())
        parts = (
            (0, 0, left, photo.height),
            (left + width, 0, photo.width, photo.height),
            (0, 0, photo.width, top),
            (0, top + height, photo.width, photo.height),
        )
        best = max(parts, key=lambda part: min(part[2] - part[0], part[3] - part[1]))
        if min(best[2] - best[0], best[3] - best[1]) >= LEAST:
            yield photo.crop(best)
            found += 1
        if found == most:
            return


def _drawn(count: int, first: int) -> Photos:
    rng = random.Random(first)
    for i in range(count):
        yield Image.fromarray(draw(rng.choice(CLASSES), first + i).image)


def _spots(count: int, first: int) -> Photos:
    """Soft spots of colour, which show nothing."""
    for i in range(count):
        rng = random.Random(first + i)
        picture = Image.new("RGB", (320, 240), _colour(rng))
        pen = ImageDraw.Draw(picture)
        for _ in range(rng.randrange(3, 15)):
            x, y, r = rng.randrange(320), rng.randrange(240), rng.randrange(15, 90)
            pen.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=_colour(rng))
        yield picture.filter(ImageFilter.GaussianBlur(2))


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _chain(*sources: Photos) -> Photos:
    for source in sources:
        yield from source
