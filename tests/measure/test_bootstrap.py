"""Tests of lafe.bootstrap: a normal mean's interval is known."""

import pytest
import torch

from lafe.measure.bootstrap import interval


def test_the_interval_of_a_mean_agrees_with_its_standard_error() -> None:
    torch.manual_seed(0)
    values = torch.randn(400)
    found = interval(values)
    half = 1.96 * float(values.std()) / 20
    assert found["mean"] == pytest.approx(float(values.mean()))
    assert found["high"] - found["mean"] == pytest.approx(half, rel=0.1)
    assert found["mean"] - found["low"] == pytest.approx(half, rel=0.1)


def test_one_value_is_its_own_interval() -> None:
    assert interval([0.5]) == {"mean": 0.5, "low": 0.5, "high": 0.5}
