"""The proposed crop, on maps and photos of which it is known where the object is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import tiny_model

from lafe.data.preprocess import Preprocess
from lafe.explain.crop import LARGEST, MARGIN, object_box, propose
from lafe.explain.prepare import Prepared, prepare


def spot(rows: slice, columns: slice, size: int = 8, height: float = 1.0) -> np.ndarray:
    heat = np.full((size, size), 0.1, np.float32)
    heat[rows, columns] += height
    return heat


def test_the_box_is_around_the_strongest_part() -> None:
    heat = spot(slice(2, 5), slice(3, 7)) + spot(slice(7, 8), slice(0, 1)) - 0.1
    left, top, right, bottom = object_box(heat)
    assert (left, top, right, bottom) == pytest.approx((3 / 8, 2 / 8, 7 / 8, 5 / 8), abs=0.05)


@pytest.fixture
def photo() -> Prepared:
    ready = prepare(tiny_model(), torch.zeros(1, 3, 96, 96))
    f5 = torch.full((1, 4, 8, 8), 0.1)
    f5[..., 2:5, 3:7] = 1
    return Prepared(ready.model, ready.x, (*ready.features[:2], f5), ready.gates)


def test_it_is_on_the_whole_photo_though_the_model_sees_a_part(photo: Prepared) -> None:
    preprocess = Preprocess(100, 80, (0.5,), (0.5,))  # sees 0.1 to 0.9
    box = propose(photo, (300, 200), preprocess)
    expected = (0.1 + 0.8 * 3 / 8, 0.1 + 0.8 * 2 / 8, 0.1 + 0.8 * 7 / 8, 0.1 + 0.8 * 5 / 8)
    low, high = np.array(expected[:2]) - MARGIN, np.array(expected[2:]) + MARGIN
    assert box == pytest.approx((*low, *high), abs=0.04)


def test_an_object_that_fills_the_photo_is_left_whole(photo: Prepared) -> None:
    photo.features[2][..., 0:8, 0:7] = 1
    assert propose(photo, (300, 200), Preprocess(64, 64, (0.5,), (0.5,))) is None
    assert LARGEST < 7 / 8
