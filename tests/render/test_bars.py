"""The bars of a channel gate."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lafe.render.bars import sorted_bars


def heights(svg: str) -> list[float]:
    return [float(h) for h in re.findall(r' height="([\d.]+)"/>', svg)]


def test_bars_are_sorted_and_as_high_as_the_weights() -> None:
    svg, words = sorted_bars(np.array([0.1, 0.4, 0.2]).reshape(3, 1, 1), "dis", "Gate of c_dis")
    assert heights(svg) == pytest.approx([200, 100, 50])
    assert words == "Gate of c_dis: 3 channels, sorted, 0.4 to 0.1"


def test_many_channels_are_means_of_neighbours() -> None:
    weights = np.random.default_rng(0).random(1280)
    drawn = heights(sorted_bars(weights, "con", "").svg)
    expected = np.sort(weights)[::-1].reshape(160, 8).mean(1)
    assert drawn == pytest.approx(200 * expected / weights.max(), abs=0.006)


def test_a_gate_that_is_shut_is_drawn_flat() -> None:
    assert set(heights(sorted_bars(np.zeros(5), "con", "").svg)) == {0}
