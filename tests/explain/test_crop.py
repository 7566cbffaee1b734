"""The proposed crop, on maps and photos of which it is known where the object is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import random_norms

import lafe
from lafe.checkpoints.reading import read
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data.photo import Box, crop
from lafe.explain.crop import LARGEST, LOOSE, TIGHT, Proposal, _boxes, object_box, propose
from lafe.explain.maps import map_of
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import familiarity

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))


def spot(rows: slice, columns: slice, size: int = 8, height: float = 1.0) -> np.ndarray:
    heat = np.full((size, size), 0.1, np.float32)
    heat[rows, columns] += height
    return heat


@pytest.mark.parametrize("share", [0.45, 0.5])
def test_the_box_is_around_the_strongest_part(share: float) -> None:
    heat = spot(slice(2, 5), slice(3, 7)) + spot(slice(7, 8), slice(0, 1)) - 0.1
    left, top, right, bottom = object_box(heat, share)
    assert (left, top, right, bottom) == pytest.approx((3 / 8, 2 / 8, 7 / 8, 5 / 8), abs=0.05)


@pytest.fixture
def folder(tmp_path: Path, resize: int) -> Path:
    """A model of 8 x 8 places."""
    torch.manual_seed(0)
    model = random_norms(lafe.LAFE("test_resnet", 5, 256))
    return save(model, tmp_path / "tiny", list("abcde"), resize=resize)


@pytest.fixture
def resize() -> int:
    """It sees 0.1 to 0.9 of a photo's sides."""
    return 320


def looked(model: Trained, rows: slice = slice(2, 5), columns: slice = slice(3, 7)) -> Prepared:
    """The photo, its object at a known place."""
    ready = prepare(model, PHOTO)
    f5 = torch.full((1, 96, 8, 8), 0.1)
    f5[..., rows, columns] = 1
    return Prepared(model, ready.x, (*ready.features[:2], f5), ready.gates)


def expected(margin: float) -> Box:
    """The object on the whole photo, with a share of its sides around it."""
    left, right = (0.1 + 0.8 * edge / 8 for edge in (3, 7))
    top, bottom = (0.1 + 0.8 * edge / 8 for edge in (2, 5))
    beside, above = margin * (right - left), margin * (bottom - top)
    return left - beside, top - above, right + beside, bottom + above


def test_it_is_on_the_whole_photo_though_the_model_sees_a_part(folder: Path) -> None:
    model = lafe.load(folder)
    found = propose(looked(model), PHOTO, model)
    assert found is not None
    assert found.box == pytest.approx(expected(LOOSE[1]), abs=0.04)
    assert found.closer  # nothing is known that speaks against it


@pytest.mark.parametrize("place", [0, 1])
def test_of_the_two_boxes_it_is_what_looks_most_like_the_known(folder: Path, place: int) -> None:
    model = lafe.load(folder)
    box = list(_boxes(map_of(looked(model).features[-1]), PHOTO.size, model.preprocess))[place]
    assert box == pytest.approx(expected((LOOSE, TIGHT)[place][1]), abs=0.04)
    knows(folder, prepare(model, crop(PHOTO, box)))
    model = lafe.load(folder)
    assert familiarity(prepare(model, crop(PHOTO, box))) == pytest.approx(1, abs=1e-4)
    assert propose(looked(model), PHOTO, model) == Proposal(box, closer=True)


def test_a_crop_that_is_less_like_the_known_than_the_whole_photo_is_said_so(folder: Path) -> None:
    knows(folder, looked(lafe.load(folder)))
    model = lafe.load(folder)
    found = propose(looked(model), PHOTO, model)
    assert found is not None
    assert not found.closer


def knows(folder: Path, photo: Prepared) -> None:
    """Make one photo the mean of every class."""
    stored, pooled = read(folder), photo.fused(lafe.Switches.all()).F5.mean((2, 3))
    unknown = {"score": "class_means", "threshold": 0.5}
    card = replace(stored.card, unknown=unknown)
    replace(stored, class_means=pooled.repeat(5, 1), card=card).write(folder)


@pytest.mark.parametrize("resize", [256])
def test_an_object_that_fills_the_photo_is_left_whole(folder: Path) -> None:
    model = lafe.load(folder)
    assert propose(looked(model, slice(0, 7), slice(0, 7)), PHOTO, model) is None
    assert LARGEST < (7 / 8) ** 2


def test_a_crop_with_too_few_pixels_is_none(folder: Path) -> None:
    model = lafe.load(folder)
    small = PHOTO.resize((30, 20))
    assert propose(looked(model, slice(2, 3), slice(3, 4)), small, model) is None
