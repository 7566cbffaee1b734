"""Worked by hand; the reference is FunnyBirds' evaluation code."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lafe.data.partbirds import CLASSES, PARTS, differing
from lafe.measure.faithfulness.parts import (
    THRESHOLDS,
    NothingMeasuredError,
    PartScores,
    PictureScores,
    csdc,
    deletion,
    distractibility,
    expects_contrast,
    important_parts,
    irrelevant,
    minimal_sufficient_sets,
    part_importance,
    preservation,
    rivals,
    single_deletion,
    summarise,
    target_sensitivity,
)


def sets(*texts):
    return tuple(frozenset(text.split()) for text in texts)


# Importances.


def test_a_part_has_the_sum_of_the_map_over_its_grown_mask():
    heat = np.arange(36.0).reshape(6, 6)
    mask = np.zeros((6, 6), dtype=bool)
    mask[2, 3] = True
    found = part_importance(heat, {"eye": mask, "tail": np.zeros_like(mask)}, reach=1)
    assert found == {"eye": heat[1:4, 2:5].sum(), "tail": 0}
    assert part_importance(heat, {"eye": mask}, reach=0) == {"eye": 15.0}
    assert part_importance(-heat, {"eye": mask})["eye"] == -heat[0:5, 1:6].sum()


def test_parts_are_important_above_a_share_of_the_whole_map():
    importance = {"beak": 3.0, "eye": 1.0, "wing": -2.0}
    found = important_parts(importance, total=10, thresholds=(0.05, 0.1, 0.29, 0.3))
    assert found == sets("beak eye", "beak", "beak", "")


def test_a_map_whose_sum_is_negative_has_negative_thresholds_as_in_the_reference():
    assert important_parts({"beak": -1.0, "eye": -6.0}, -10, (0.5,)) == sets("beak")


def test_thresholds_are_the_eighty_of_the_reference():
    assert (len(THRESHOLDS), THRESHOLDS[0], THRESHOLDS[-1]) == (80, 0.01, 0.5)
    assert THRESHOLDS[1] == pytest.approx(0.01620253164556962)  # as in its published output


# Sufficient sets, and the controlled synthetic data check.

TOY = (
    {"beak": 1, "eye": 1, "tail": 1},
    {"beak": 1, "eye": 2, "tail": 1},
    {"beak": 2, "eye": 1, "tail": 1},
    {"beak": 2, "eye": 2, "tail": 2},
)


def test_sufficient_sets_tell_a_class_from_all_others_and_none_can_be_smaller():
    # Class 0 shares eye and tail with 2, beak and tail with 1, nothing with 3.
    assert set(minimal_sufficient_sets(TOY, 0)) == set(sets("beak eye"))
    # Tail 2 is of class 3 alone; beak 2 with eye 2 are, too.
    assert set(minimal_sufficient_sets(TOY, 3)) == set(sets("tail", "beak eye"))


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=2, max_size=6, unique=True))
def test_sufficient_sets_are_those_of_brute_force(table):
    classes = [dict(zip("abcd", looks, strict=True)) for looks in table]

    def tells(parts):
        return not any(all(c[p] == classes[0][p] for p in parts) for c in classes[1:])

    every = [set(parts) for size in range(5) for parts in combinations("abcd", size)]
    expected = [p for p in every if tells(p) and not any(tells(p - {part}) for part in p)]
    assert sorted(map(sorted, minimal_sufficient_sets(classes, 0))) == sorted(map(sorted, expected))


def test_a_species_of_partbirds_is_told_by_the_two_parts_that_its_genus_varies():
    looks = [bird.parts for bird in CLASSES]
    for label, bird in enumerate(CLASSES):
        genus = [other for other in CLASSES if other.genus == bird.genus]
        varied = set().union(*(differing(bird, other) for other in genus))
        found = minimal_sufficient_sets(looks, label)
        assert found
        assert all(varied <= parts for parts in found)


def test_csdc_is_the_share_of_the_set_that_is_found_best():
    important = sets("beak", "tail wing", "beak eye tail", "")
    found = csdc(important, sets("beak eye", "tail wing legs"))
    np.testing.assert_allclose(found, (1 / 2, 2 / 3, 1, 0))


# Preservation and deletion.


def model(missing):
    """Sees class 7 while it sees beak or eye, unless the tail is gone too."""
    seen = {"beak", "eye", "tail"} - missing
    return 7 if {"beak", "tail"} <= seen or {"eye", "tail"} <= seen else 3


def test_preservation_keeps_the_important_parts_and_deletion_takes_them():
    important = sets("beak tail", "beak", "eye tail", "beak eye", "")
    parts = frozenset({"beak", "eye", "tail"})
    assert preservation(important, parts, model).tolist() == [1, 0, 1, 0, 0]
    assert deletion(important, model).tolist() == [1, 0, 1, 1, 0]


# Distractibility and background.


def test_what_changes_a_score_by_less_than_a_twentieth_or_raises_it_is_irrelevant():
    without = {"beak": 9.0, "eye": 9.6, "wing": 10.4, "perch": 12.0, "twig": 9.5}
    assert irrelevant(10, without) == {"eye", "wing", "perch"}
    # Of a negative score, a twentieth is as much, and a fall is a fall.
    assert irrelevant(-10, {"beak": -11.0, "eye": -10.4, "wing": -5.0}) == {"eye", "wing"}


def test_distractibility_is_lost_to_irrelevant_parts_and_things_in_the_map():
    useless = frozenset({"eye", "wing", "perch", "twig"})
    found = distractibility(sets("beak", "beak eye", "eye wing perch twig tail"), useless)
    np.testing.assert_allclose(found, (1, 0.75, 0))
    assert distractibility(sets("beak"), frozenset()) is None


# Single deletion.


def test_single_deletion_is_a_rank_correlation_between_0_and_1():
    without = {"beak": 2.0, "eye": 8.0, "wing": 5.0, "tail": 9.0}  # falls of 8, 2, 5, 1
    same = {"tail": 0.1, "beak": 40.0, "eye": 0.2, "wing": 7.0}
    assert single_deletion(same, 10, without) == pytest.approx(1)
    assert single_deletion({part: -v for part, v in same.items()}, 10, without) == pytest.approx(0)
    # Beak and wing change places: d = (1, 0, 1, 0), rho = 1 - 6 * 2 / (4 * 15) = 0.8.
    swapped = same | {"beak": 7.0, "wing": 40.0}
    assert single_deletion(swapped, 10, without) == pytest.approx(0.9)


def test_single_deletion_is_undefined_where_nothing_can_be_ranked():
    assert single_deletion({"beak": 1.0, "eye": 1.0}, 10, {"beak": 2.0, "eye": 3.0}) is None
    assert single_deletion({"beak": 1.0, "eye": 2.0}, 10, {"beak": 3.0, "eye": 3.0}) is None


# Target sensitivity.


def test_rivals_of_funnybirds_share_two_parts_each_and_none_of_them_twice():
    five = ("beak", "eye", "wing", "tail", "foot")
    classes = [
        dict(zip(five, looks, strict=True))
        for looks in ("00000", "00111", "01110", "11001", "11100", "10110")
    ]
    # At distance 3 of class 0: 1 (beak, eye), 2 (beak, foot), 3 (wing, tail), 4, 5.
    found = rivals(classes, 0, distance=3)
    assert (found.first, found.second) == (1, 3)
    assert (found.of_first, found.of_second) == sets("beak eye", "wing tail")


def test_rivals_in_a_genus_of_partbirds_share_one_part_each_that_the_other_does_not():
    looks = [bird.parts for bird in CLASSES]
    for label, bird in enumerate(CLASSES):
        found = rivals(looks, label, distance=1)
        first, second = CLASSES[found.first], CLASSES[found.second]
        assert {first.genus, second.genus} == {bird.genus}
        assert set(differing(bird, second)) == found.of_first
        assert set(differing(bird, first)) == found.of_second
        assert len(found.of_first | found.of_second) == 2


def test_there_are_no_rivals_where_no_two_classes_are_that_near():
    assert rivals([bird.parts for bird in CLASSES], 0, distance=len(PARTS) + 1) is None
    assert rivals(TOY[:2], 0, distance=1) is None


def test_a_picture_counts_if_each_rival_loses_more_without_its_own_parts():
    assert expects_contrast((1.0, 5.0), (4.0, 2.0))
    assert not expects_contrast((4.0, 5.0), (4.0, 2.0))  # the first loses as much
    assert not expects_contrast((1.0, 2.0), (4.0, 3.0))  # the second loses more


def test_target_sensitivity_asks_twice_whose_map_counts_a_rivals_own_parts_more():
    pair = rivals(TOY, 0, distance=1)
    # Class 0 shares beak and tail with 1, eye and tail with 2.
    assert (pair.first, pair.second) == (1, 2)
    assert (pair.of_first, pair.of_second) == sets("beak", "eye")
    to_beak = {"beak": 3.0, "eye": 1.0, "tail": 9.0}
    to_eye = {"beak": 1.0, "eye": 3.0, "tail": 0.0}
    assert target_sensitivity(pair, to_beak, to_eye) == 1
    assert target_sensitivity(pair, to_eye, to_beak) == 0
    assert target_sensitivity(pair, to_beak, to_beak | {"eye": 2.0}) == 0.5  # equal is not more


# Means.


def picture(**changes):
    values = {
        "right": True,
        "csdc": np.array([1.0, 0.5, 0.0]),
        "preservation": np.array([1.0, 1.0, 0.0]),
        "deletion": np.array([1.0, 1.0, 0.0]),
        "distractibility": np.array([0.0, 0.75, 1.0]),
        "things": 3,
        "relevant_things": 1,
        "single_deletion": 0.8,
        "target_sensitivity": 1.0,
    }
    return PictureScores(**values | changes)


def test_means_are_taken_where_a_picture_says_something_and_at_the_best_threshold():
    other = picture(
        right=False,
        csdc=None,
        deletion=np.array([1.0, 0.0, 0.0]),
        distractibility=None,
        things=1,
        relevant_things=0,
        single_deletion=0.4,
        target_sensitivity=None,
    )
    # Checks: (1 + 1 + 1) / 3, (0.5 + 1 + 0.5) / 3, 0; with distractibility: 1, 1.4167, 1.
    found = summarise([picture(), other], thresholds=(0.1, 0.2, 0.3))
    assert found == PartScores(
        accuracy=0.5,
        csdc=0.5,
        preservation=1,
        deletion=0.5,
        distractibility=0.75,
        background=0.75,
        single_deletion=pytest.approx(0.6),
        target_sensitivity=1,
        threshold=0.2,
    )
    assert found.completeness == pytest.approx((2 / 3 + 0.75) / 2)
    assert found.mean == pytest.approx((found.completeness + 0.6 + 1) / 3)


def test_means_of_the_published_scores_are_the_published_mean():
    """ResNet-50 with InputXGradient, as printed by the authors' code."""
    found = PartScores(0.998, 0.7353, 0.602, 0.532, 0.54372, 0.99826, 0.54592, 0.806, 0.0162)
    assert found.correctness == 0.54592
    assert found.contrastivity == 0.806
    assert round(found.mean, 2) == 0.65


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"csdc": None}, "anything of csdc"),
        ({"target_sensitivity": None}, "anything of target_sensitivity"),
        ({"things": 0, "relevant_things": 0}, "anything beside its bird"),
    ],
)
def test_a_score_that_no_picture_tells_is_refused(changes, message):
    with pytest.raises(NothingMeasuredError, match=message):
        summarise([picture(**changes)], thresholds=(0.1, 0.2, 0.3))
