"""Outlines against a square that is worked out by hand."""

import numpy as np
from PIL import Image

from lafe.render.outline import outlined


def test_a_square_is_outlined_and_its_inside_stays() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    mask = np.zeros((56, 56), bool)  # a quarter of the picture's size
    mask[14:28, 14:28] = True  # rows and columns 56 to 111 of the picture
    found = outlined(Image.fromarray(grey), mask)
    assert (found[56, 60:100] > 200).all()  # the line
    assert (found[70:100, 70:100] == 128).all()
    assert (found[:50] == 128).all()
    assert (found[:, 120:] == 128).all()
    assert (found[54, 60:100] < 100).all()  # dark beside it
    assert (grey == 128).all()
    np.testing.assert_array_equal(outlined(grey, np.zeros((9, 9), bool)), grey)
