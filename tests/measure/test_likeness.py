"""Ranks of maps against SciPy, and overlaps counted by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from lafe.measure.likeness import rank_correlation, top_overlap


def test_rank_correlation_is_that_of_scipy_photo_by_photo() -> None:
    g = np.random.default_rng(0)
    a = g.integers(0, 4, (6, 49)).astype(float)  # many ties, as behind a ReLU
    b = a + g.normal(size=a.shape) * np.arange(6)[:, None]
    expected = [spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert rank_correlation(a, b) == pytest.approx(expected)
    assert rank_correlation(a, b)[0] == pytest.approx(1)  # nothing was added to the first
    assert rank_correlation(a, -a) == pytest.approx(-np.ones(6))


def test_a_flat_map_is_like_none() -> None:
    rising, flat = np.arange(10.0)[None], np.ones((1, 10))
    for measure in (rank_correlation, top_overlap):
        assert np.isnan(measure(rising, flat)).all()
        assert np.isnan(measure(flat, flat)).all()
        assert measure(rising, rising) == pytest.approx([1.0])


def test_overlap_counts_what_two_top_fifths_share() -> None:
    a, b = np.zeros((2, 1, 15))
    a[0, [0, 1, 2]] = 3, 2, 1
    b[0, [2, 1, 9]] = 3, 2, 1
    assert top_overlap(a, b) == pytest.approx([2 / 3])
    assert top_overlap(a * 1000, b) == pytest.approx([2 / 3])


def test_ties_are_broken_at_random_on_average() -> None:
    a, b = np.zeros((2, 1, 10))
    a[0, 4] = 1  # its second of two places is any of nine
    b[0, [4, 5]] = 2, 1
    g = np.random.default_rng(0)

    def drawn() -> float:
        tops = [set(np.argsort(-(m[0] + 1e-3 * g.random(10)))[:2].tolist()) for m in (a, b)]
        return len(tops[0] & tops[1]) / 2

    assert top_overlap(a, b) == pytest.approx([(1 + 1 / 9) / 2])
    assert np.mean([drawn() for _ in range(5000)]) == pytest.approx((1 + 1 / 9) / 2, abs=0.02)
