import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lafe.data import DataError
from lafe.data.partbirds import (
    CLASSES,
    COLOURS,
    LAYERS,
    PARTS,
    PATTERNS,
    SHAPES,
    Look,
    differing,
    draw,
)

SEEDS = (3, 14, 15, 92)


def changed(a, b):
    """(S, S): by how many of 255 levels two pictures differ, in the channel that differs most."""
    return abs(a.image.astype(int) - b.image).max(axis=2)


def grown(mask):
    """A mask and the pixels next to it, of which less than half is covered."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))).astype(bool)


def assert_same_outside(mask, a, b):
    """Pictures differ inside the mask only; slivers that fill less than half of any pixel may."""
    outside = changed(a, b)[~grown(mask)]
    assert outside.max() <= 64
    assert (outside > 0).sum() <= 0.01 * mask.sum()


def test_the_same_call_gives_the_same_picture():
    for bird in CLASSES[::5]:
        a, b = draw(bird, 7, size=96), draw(bird, 7, size=96)
        assert (a.image == b.image).all()
        assert (a.labels == b.labels).all()


def test_other_seeds_give_other_scenes():
    pictures = {draw(CLASSES[0], seed, size=64).image.tobytes() for seed in range(20)}
    assert len(pictures) == 20


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_part_that_is_gone_changes_pixels_of_its_mask_only(part, seed):
    bird = CLASSES[seed % len(CLASSES)]
    whole, less = draw(bird, seed), draw(bird, seed, without=[part])
    mask = whole.mask(part)
    assert mask.sum() > 20
    assert not less.mask(part).any()
    assert_same_outside(mask, whole, less)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_part_of_another_colour_changes_all_pixels_of_its_mask_and_no_other(part, seed):
    bird = CLASSES[(5 * seed) % len(CLASSES)]
    look = bird.parts[part]
    other = "teal" if look.colour in ("ruby", "orange", "gold", "coral") else "ruby"
    whole = draw(bird, seed)
    painted = draw(bird, seed, change={part: Look(look.shape, other, look.pattern, look.ink)})
    assert_same_outside(whole.mask(part), whole, painted)
    # An eye's pupil, its iris and a pattern's ink stay as they are.
    least = {"eye": 0.25}.get(part, 0.95 if look.ink is None else 0.4)
    assert (changed(whole, painted)[whole.mask(part)] > 0).mean() > least
    assert (whole.labels == painted.labels).all()


def test_masks_hold_only_what_is_seen():
    bird = CLASSES[0]
    for seed in SEEDS:
        whole, less = draw(bird, seed), draw(bird, seed, without=["wing"])
        hidden = less.mask("breast") & ~whole.mask("breast")
        assert hidden.any()  # the wing lies upon the breast
        assert whole.mask("wing")[hidden].all()
        assert not sum(mask.astype(int) for mask in whole.masks.values()).max() > 1


def test_a_thing_that_is_taken_away_changes_its_pixels_only():
    seen = set()
    for seed in range(8):
        whole = draw(CLASSES[seed], seed, size=640)
        for thing in whole.things:
            less = draw(CLASSES[seed], seed, size=640, without=[thing])
            assert_same_outside(whole.mask(thing), whole, less)
            assert not less.mask(thing).any()
            assert less.layers == whole.layers
            seen.add(thing.split()[0])
    assert seen == {"perch", "twig", "spray", "reed"}


def test_what_is_in_front_hides_the_bird_and_no_more():
    hidden = 0
    for seed in range(12):
        whole = draw(CLASSES[3], seed, size=200)
        bare = draw(CLASSES[3], seed, size=200, without=[t for t in whole.things if t != "perch"])
        lost = (bare.labels > 0) & (bare.labels < len(LAYERS)) & (bare.labels != whole.labels)
        assert (whole.labels[lost] > len(LAYERS)).all()
        hidden += lost.sum()
    assert hidden > 0


def test_two_species_in_one_scene_differ_where_their_parts_differ():
    for seed in SEEDS:
        a, b = draw(CLASSES[0], seed), draw(CLASSES[3], seed)
        parts = [
            picture.mask(part) for picture in (a, b) for part in differing(CLASSES[0], CLASSES[3])
        ]
        assert_same_outside(np.any(parts, axis=0), a, b)
        c = draw(CLASSES[9], seed)
        birds = [np.isin(picture.labels, range(1, len(LAYERS))) for picture in (a, c)]
        assert_same_outside(np.any(birds, axis=0), a, c)


def test_a_species_is_another_with_its_parts_changed():
    a, b = CLASSES[4], CLASSES[17]
    changed_all = draw(a, 5, size=120, change=b.parts)
    assert (changed_all.image == draw(b, 5, size=120).image).all()


def test_all_looks_of_a_part_are_drawn_differently():
    for part in PARTS:
        looks = [
            Look(shape, colour, pattern, None if pattern == "plain" else ink)
            for shape in SHAPES[part]
            for pattern in PATTERNS[part]
            for colour, ink in (("teal", "cream"),)
        ] + [Look(SHAPES[part][0], colour) for colour in COLOURS if colour != "teal"]
        drawn = [
            draw(CLASSES[0], 3, size=96, change={part: look}).image.tobytes() for look in looks
        ]
        assert len(set(drawn)) == len(looks)


def test_a_scene_is_the_same_at_every_size():
    for seed in SEEDS:
        small, large = (
            draw(CLASSES[seed % 24], seed, size=160),
            draw(CLASSES[seed % 24], seed, size=640),
        )
        reduced = cv2.resize(large.image, (160, 160), interpolation=cv2.INTER_AREA)
        assert abs(reduced.astype(int) - small.image).mean() < 2
        share = [(picture.labels > 0).mean() for picture in (small, large)]
        assert share[0] == pytest.approx(share[1], rel=0.03)


def test_a_bird_fits_whatever_its_parts():
    longest = {
        "crown": ("plume", "crest"),
        "tail": ("streamers", "fan"),
        "beak": ("needle", "curved"),
    }
    for seed in range(40):
        change = {part: Look(shapes[seed % 2], "blue") for part, shapes in longest.items()}
        x, y, width, height = draw(CLASSES[0], seed, size=100, change=change).box
        assert min(x, y) > 0
        assert max(x + width, y + height) < 100
        assert max(width, height) > 55


def test_box_is_the_smallest_round_what_is_seen_of_the_bird():
    for seed in SEEDS:
        picture = draw(CLASSES[seed % 24], seed)
        x, y, width, height = (int(v) for v in picture.box)
        bird = np.isin(picture.labels, range(1, len(LAYERS)))
        assert bird.sum() == bird[y : y + height, x : x + width].sum()
        box = bird[y : y + height, x : x + width]
        assert all(edge.any() for edge in (box[0], box[-1], box[:, 0], box[:, -1]))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**53),
    size=st.integers(32, 300),
    label=st.integers(0, 23),
    without=st.sets(st.sampled_from(PARTS)),
)
def test_any_seed_and_size_gives_a_bird_with_the_truth_about_it(seed, size, label, without):
    picture = draw(CLASSES[label], seed, size=size, without=without)
    assert picture.image.shape == (size, size, 3)
    assert picture.image.dtype == np.uint8
    assert picture.labels.max() < len(picture.layers)
    assert picture.mask("body").any()
    assert picture.layers == (*LAYERS, *picture.things)
    for part, (x, y, visible) in zip(PARTS, picture.points.tolist(), strict=True):
        mask = picture.mask(part)
        assert bool(visible) == mask.any()
        assert mask[int(y), int(x)] if visible else (x, y) == (0, 0)
        assert not (visible and part in without)


def test_points_are_in_the_middle_of_round_parts():
    picture = draw(CLASSES[0], 3)
    y, x = np.nonzero(picture.mask("eye"))
    assert picture.points[PARTS.index("eye")] == pytest.approx((x.mean(), y.mean(), 1), abs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scene_seed": -1}, "choose 0 or more"),
        ({"size": 31}, "choose 32 or more"),
        ({"without": ["nose"]}, "Nothing in this picture is called 'nose'; choose from beak"),
        ({"without": ["twig 9"]}, "called 'twig 9'"),
        ({"change": {"nose": Look("cone", "gold")}}, "A bird has no part 'nose'"),
        ({"change": {"eye": Look("cone", "gold")}}, "No eye has the shape 'cone'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(arguments, message):
    with pytest.raises(DataError, match=message):
        draw(**{"bird": CLASSES[0], "scene_seed": 0} | arguments)


def test_a_layer_that_a_picture_lacks_is_refused():
    with pytest.raises(DataError, match="No layer is called 'nose'"):
        draw(CLASSES[0], 0, size=64).mask("nose")
