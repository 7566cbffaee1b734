"""A normal mean's interval is known."""

import pytest
import torch

from lafe.measure.bootstrap import Interval, interval, mean


def test_the_interval_of_a_mean_agrees_with_its_standard_error() -> None:
    torch.manual_seed(0)
    values = torch.randn(400)
    found = interval(values)
    half = 1.96 * float(values.std()) / 20
    assert found.mean == pytest.approx(float(values.mean()))
    assert found.high - found.mean == pytest.approx(half, rel=0.1)
    assert found.mean - found.low == pytest.approx(half, rel=0.1)


def test_one_value_is_its_own_interval() -> None:
    assert interval([0.5]) == Interval(0.5, 0.5, 0.5)


def test_photos_without_a_value_do_not_count() -> None:
    found = mean([0.25, None, 0.75])
    assert found is not None
    assert (found.photos, found.mean) == (2, 0.5)
    assert mean([0.25, 0.75]) == found
    assert mean([None]) is None


def test_an_interval_is_written_in_percent_or_points() -> None:
    value = Interval(0.03125, -0.0049, 0.067)
    assert value.percent(sign=True) == "+3.1 (\N{MINUS SIGN}0.5 to +6.7)"
    assert value.percent() == "3.1 (\N{MINUS SIGN}0.5 to 6.7)"


def test_the_ends_of_an_interval_have_a_real_minus_and_no_minus_zero() -> None:
    assert Interval(-0.02, -0.0304, -0.0001).text("+.2f") == (
        "\N{MINUS SIGN}0.02 (\N{MINUS SIGN}0.03 to 0.00)"
    )
