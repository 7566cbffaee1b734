"""Heat map over photo: colours by hand, upsampling against PyTorch, colour blindness simulated."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from lafe.render import palette
from lafe.render.overlay import colour_bar, overlay, value_range

RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8))
PIXELS = np.asarray(PHOTO)

# The ends of viridis as Matplotlib publishes it, and of our purple - grey - green.
VIRIDIS_LOW, VIRIDIS_HIGH = (68, 1, 84), (253, 231, 37)
PURPLE, GREY, GREEN = (40, 0, 70), (140, 140, 140), (205, 255, 60)


def alone(heat: object, low: float, high: float, *, signed: bool = False) -> np.ndarray:
    """The map without the photo."""
    heat = np.asarray(heat, np.float32)
    return overlay(PHOTO, heat, opacity=1, value_range=(low, high), signed=signed)


def assert_colour(pixels: np.ndarray, colour: tuple[int, int, int], atol: int = 1) -> None:
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=atol)


# Values and colours


@pytest.mark.parametrize(("value", "colour"), [(-3, VIRIDIS_LOW), (5, VIRIDIS_HIGH)])
def test_the_ends_of_an_unsigned_range(value, colour):
    assert_colour(alone(np.full((7, 7), value), -3, 5), colour)


@pytest.mark.parametrize(("value", "colour"), [(-2, PURPLE), (0, GREY), (2, GREEN)])
def test_the_ends_and_the_middle_of_a_signed_range(value, colour):
    assert_colour(alone(np.full((7, 7), value), -2, 2, signed=True), colour, atol=0)


@pytest.mark.parametrize("signed", [False, True])
def test_values_beyond_the_range_get_the_colour_of_its_end(signed):
    far, end = (alone([[-value, value]], -1, 1, signed=signed) for value in (9, 1))
    np.testing.assert_array_equal(far[:, [0, -1]], end[:, [0, -1]])


def test_zero_is_the_only_grey():
    values = np.linspace(-1, 1, 255)
    colours = np.stack([alone([[v]], -1, 1, signed=True)[0, 0] for v in values]).astype(int)
    grey = np.ptp(colours, axis=1) == 0
    assert grey.nonzero()[0].tolist() == [127]
    purple, green = colours[:127], colours[128:]
    assert (purple[:, [0, 2]] > purple[:, [1]]).all()
    assert (green[:, [1]] >= green[:, [0, 2]]).all()


def test_a_map_is_linear_in_its_values():
    """A ramp looks like the bar: were it squared or stretched, it would not."""
    ramp = np.linspace(2, 6, 80)[None].repeat(60, 0)
    bar = colour_bar((2, 6), signed=False)[0]
    expected = bar[np.rint(np.linspace(0, 255, 80)).astype(int)]
    np.testing.assert_allclose(alone(ramp, 2, 6)[30], expected, atol=3)


def test_the_range_is_not_taken_from_the_map():
    heat = RNG.random((6, 8)).astype(np.float32)
    assert not np.array_equal(alone(heat, 0, 1), alone(heat, 0, 2))
    np.testing.assert_array_equal(alone(heat, 0, 2), alone(heat / 2, 0, 1))


@pytest.mark.filterwarnings("error")  # of NumPy, on division by zero
@pytest.mark.parametrize(("signed", "colour"), [(False, VIRIDIS_LOW), (True, GREY)])
def test_a_map_that_is_zero_everywhere(signed, colour):
    """What a branch that is off shows."""
    zero = np.zeros((7, 7), np.float32)
    shared = value_range([zero], signed=signed)
    assert shared == (0, 0)
    result = overlay(PHOTO, zero, opacity=1, value_range=shared, signed=signed)
    assert_colour(result, colour)


# Place and opacity


@pytest.mark.parametrize("size", [(7, 7), (14, 14), (5, 9), (1, 1), (60, 80)])
def test_upsampling_is_pytorchs_bilinear(size):
    heat = RNG.standard_normal(size).astype(np.float32)
    shape = (60, 80)
    large = F.interpolate(torch.from_numpy(heat)[None, None], shape, mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(cv2.resize(heat, shape[::-1]), large, atol=1e-5)
    difference = np.abs(alone(heat, -2, 2).astype(int) - alone(large, -2, 2).astype(int))
    assert difference.max() <= 6, "one step of the colour map"
    assert difference.mean() < 0.1


def test_upsampling_makes_up_no_value():
    step = np.zeros((4, 4), np.float32)
    step[:, 2:] = 1
    inside = alone(step, 0, 1)
    wider = alone(step, -0.001, 1.001)
    assert np.abs(inside.astype(int) - wider.astype(int)).max() <= 3


@pytest.mark.parametrize("opacity", [0, 0.25, 0.5, 1])
def test_opacity_is_a_weighted_mean(opacity):
    heat = RNG.random((6, 8)).astype(np.float32)
    result = overlay(PHOTO, heat, opacity=opacity, value_range=(0, 1), signed=False)
    expected = (1 - opacity) * PIXELS + opacity * alone(heat, 0, 1).astype(float)
    assert result.dtype == np.uint8
    np.testing.assert_allclose(result, expected, atol=0.51)


def test_the_photo_is_not_changed():
    before = PIXELS.copy()
    alone(np.ones((7, 7)), 0, 1)
    np.testing.assert_array_equal(np.asarray(PHOTO), before)


def test_only_the_box_is_covered():
    heat = RNG.random((7, 7)).astype(np.float32)
    left, top, right, bottom = 5, 4, 75, 57
    result = overlay(
        PHOTO, heat, opacity=1, value_range=(0, 1), signed=False, box=(5.2, 3.6, 74.9, 57)
    )
    outside = np.ones((60, 80), bool)
    outside[top:bottom, left:right] = False
    np.testing.assert_array_equal(result[outside], PIXELS[outside])
    part = PHOTO.crop((left, top, right, bottom))
    same = overlay(part, heat, opacity=1, value_range=(0, 1), signed=False)
    np.testing.assert_array_equal(result[top:bottom, left:right], same)


def test_a_corner_of_the_map_lies_in_the_corner_of_the_photo():
    """Neither transposed nor flipped."""
    heat = np.zeros((3, 5))
    heat[0, 4] = 1
    green = alone(heat, 0, 1)[..., 1]
    assert np.unravel_index(green.argmax(), green.shape)[0] < 20
    assert green[0, -1] == VIRIDIS_HIGH[1]
    assert green[0, 0] == green[-1, 0] == green[-1, -1] == VIRIDIS_LOW[1]


# Shared ranges and bars


def test_shared_range():
    small, large = np.array([[-1.0, 2.0]]), np.array([[0.5], [7.0], [-3.0]])
    assert value_range([small], signed=False) == (-1, 2)
    assert value_range([small, large], signed=False) == (-3, 7)
    assert value_range([small, large], signed=True) == (-7, 7)
    assert value_range([-large], signed=True) == (-7, 7)
    assert value_range(iter([small, large]), signed=False) == (-3, 7)


def test_bar_from_low_to_high():
    bar = colour_bar((0, 3), signed=False)
    assert bar.shape == (16, 256, 3)
    assert bar.dtype == np.uint8
    assert_colour(bar[:, 0], VIRIDIS_LOW)
    assert_colour(bar[:, -1], VIRIDIS_HIGH)
    assert len(np.unique(bar[0], axis=0)) > 250
    signed = colour_bar((-3, 3), signed=True)
    assert_colour(signed[:, 0], PURPLE)
    assert_colour(signed[:, -1], GREEN)
    assert_colour(signed[0, 127:129], GREY, atol=2)


def test_a_value_has_the_same_colour_in_map_and_bar():
    bar = colour_bar((-4, 4), signed=True)[0]
    for column in (0, 40, 127, 200, 255):
        value = -4 + 8 * column / 255
        assert_colour(alone([[value]], -4, 4, signed=True)[0, 0], tuple(bar[column]), atol=0)


# Linear RGB as the three kinds of dichromats see it (Machado, Oliveira and Fernandes, 2009).
COLOUR_BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colours: np.ndarray, kind: str) -> np.ndarray:
    """CIELAB of sRGB colours (N, 3), 0 to 255, as somebody with this colour blindness sees them."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(COLOUR_BLIND[kind]), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(encoded[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_unsigned_colours_grow_lighter_for_everybody(kind):
    lightness = seen(colour_bar((0, 1), signed=False)[0], kind)[:, 0]
    assert (np.diff(lightness[::8]) > 0.5).all()


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_signs_can_be_told_apart_by_everybody(kind):
    bar = seen(colour_bar((-1, 1), signed=True)[0], kind)
    assert (np.diff(bar[::8, 0]) > 0.5).all()  # lightness rises all along
    distance = np.linalg.norm(bar[:100] - bar[:155:-1], axis=1)  # x from -x, from a fifth up
    assert distance.min() > 25


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_signs_do_not_turn_into_the_colours_of_the_two_sides(kind):
    bar = seen(colour_bar((-1, 1), signed=True)[0], kind)
    strong = np.concatenate([bar[:52], bar[-52:]])  # from three fifths up
    for side in (palette.DIS, palette.CON):
        colour = np.array([[int(side[i : i + 2], 16) for i in (1, 3, 5)]])
        assert np.linalg.norm(strong - seen(colour, kind), axis=1).min() > 20


# What is refused


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(bad):
    heat = np.zeros((7, 7))
    heat[3, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        overlay(PHOTO, heat, opacity=0.5, value_range=(0, 1), signed=False)
    with pytest.raises(ValueError, match="NaN or infinite"):
        value_range([heat], signed=False)


@pytest.mark.parametrize("shape", [(7,), (1, 7, 7), (0, 7)])
def test_what_is_no_map(shape):
    with pytest.raises(ValueError, match="shape"):
        overlay(PHOTO, np.zeros(shape), opacity=0.5, value_range=(0, 1), signed=False)


@pytest.mark.parametrize(
    ("limits", "signed", "reason"),
    [
        ((1, 0), False, "lower to a higher"),
        ((np.nan, 1), False, "lower to a higher"),
        ((0, np.inf), False, "lower to a higher"),
        ((-1, 2), True, "symmetric"),
        ((0, 1), True, "symmetric"),
    ],
)
def test_ranges_that_are_none(limits, signed, reason):
    with pytest.raises(ValueError, match=reason):
        overlay(PHOTO, np.zeros((7, 7)), opacity=0.5, value_range=limits, signed=signed)
    with pytest.raises(ValueError, match=reason):
        colour_bar(limits, signed=signed)


@pytest.mark.parametrize("opacity", [-0.1, 1.1, np.nan])
def test_opacity_out_of_range(opacity):
    with pytest.raises(ValueError, match="Opacity"):
        overlay(PHOTO, np.zeros((7, 7)), opacity=opacity, value_range=(0, 1), signed=False)


@pytest.mark.parametrize(
    "box", [(-1, 0, 80, 60), (0, 0, 81, 60), (5, 5, 5, 50), (0, 50, 80, 10), (0.1, 0, 0.4, 60)]
)
def test_box_outside_of_the_photo(box):
    with pytest.raises(ValueError, match="no part"):
        overlay(PHOTO, np.zeros((7, 7)), opacity=1, value_range=(0, 1), signed=False, box=box)
