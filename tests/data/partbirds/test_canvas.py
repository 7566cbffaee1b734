import math

import numpy as np
import pytest

from lafe.data.partbirds.canvas import Canvas, Drawing, Layer, Mark, coverage
from lafe.data.partbirds.geometry import ellipse, frame, rectangle

WHOLE = frame((0, 0), (1, 0), (0, 1))
LIGHT = np.array([0.0, -1.0])
RED, GREEN, BLUE = np.eye(3)


def shares(outlines, size):
    patch = coverage(outlines, WHOLE, size)
    full = np.zeros((size, size))
    h, w = patch.shares.shape
    full[patch.top : patch.top + h, patch.left : patch.left + w] = patch.shares
    return full


@pytest.mark.parametrize("size", [40, 97, 320])
def test_a_disc_covers_its_area_and_an_eighth_of_a_pixel_more_at_its_edge_at_most(size):
    radius = math.sqrt(shares([ellipse(0.47, 0.52, 0.3, 0.3, sides=200)], size).sum() / math.pi)
    assert 0 < radius - 0.3 * size < 0.14


def test_pixels_at_an_edge_are_covered_by_their_share():
    found = shares([rectangle(4.75 / 20, 10.5 / 20, 0, 1)], 20)[10]
    expected = np.zeros(20)  # a quarter of column 4, all of 5 to 9, half of 10
    expected[4:11] = 0.25, 1, 1, 1, 1, 1, 0.5
    np.testing.assert_allclose(found, expected, atol=0.25)
    assert 0 < found[4] < 1
    assert 0 < found[10] < 1


def test_outlines_that_overlap_cover_no_more_than_all():
    found = shares([rectangle(0.1, 0.6, 0.2, 0.8), rectangle(0.4, 0.9, 0.2, 0.8)], 50)
    assert found[25, 25] == 1
    assert found.max() == 1


def test_what_misses_the_picture_covers_nothing():
    assert coverage([rectangle(1.2, 1.5, 0, 1)], WHOLE, 50) is None


def test_layers_hide_what_is_behind_and_are_tinted_marked_and_shaded():
    canvas = Canvas(np.zeros((3, 10, 10), dtype=np.float32), LIGHT)
    marked = Drawing([rectangle(0, 1, 0, 1)], RED, (Mark([rectangle(0, 0.5, 0, 1)], BLUE, 0.5),), 0)
    canvas.paint(Layer(marked, WHOLE, 1))
    np.testing.assert_allclose(canvas.image[:, 5, 2], (0.5, 0, 0.5), atol=1e-6)
    np.testing.assert_allclose(canvas.image[:, 5, 8], (1, 0, 0), atol=1e-6)

    half = np.full((10, 10), 0.5, dtype=np.float32)
    right = Drawing([rectangle(0.8, 1, 0, 1)], RED, (), 0)
    canvas.paint(Layer(right, WHOLE, 2, lambda _: GREEN), shade=half)
    np.testing.assert_allclose(canvas.image[:, 5, 8], (0, 0.5, 0), atol=1e-6)
    np.testing.assert_allclose(canvas.image[:, 5, 6], (1, 0, 0), atol=1e-6)
    assert (canvas.labels[:, 8:] == 2).all()
    assert (canvas.labels[:, :7] == 1).all()


def test_what_is_upon_a_layer_ends_where_it_ends_and_its_edge_is_no_harder():
    alone, both = (Canvas(np.zeros((3, 40, 40), dtype=np.float32), LIGHT) for _ in range(2))
    disc = Layer(Drawing([ellipse(0.5, 0.5, 0.3, 0.3)], RED, (), 0), WHOLE, 1)
    alone.paint(disc)
    both.paint(disc, [Layer(Drawing([rectangle(0.5, 1, 0, 1)], BLUE, (), 0), WHOLE, 2)])
    np.testing.assert_allclose(both.image.sum(axis=0), alone.image[0], atol=1e-6)
    assert both.image[2, :, 22:].sum() == pytest.approx(alone.image[0, :, 22:].sum())
    assert set(np.unique(both.labels)) == {0, 1, 2}
    assert ((both.labels > 0) == (alone.labels > 0)).all()


def test_relief_is_brighter_towards_the_light():
    canvas = Canvas(np.zeros((3, 100, 100), dtype=np.float32), LIGHT)
    canvas.paint(Layer(Drawing([ellipse(0.5, 0.5, 0.3, 0.3)], np.full(3, 0.5)), WHOLE, 1))
    assert canvas.image[0, 22, 50] > canvas.image[0, 50, 50] > canvas.image[0, 78, 50]
