"""Values in the units in which people read them."""

from __future__ import annotations

import pytest

import lafe
from lafe.branches import Switches
from lafe.explain.ablation import OUTPUTS
from lafe.render.units import UNITS, flip_text


def test_every_output_of_a_table_has_a_unit() -> None:
    assert UNITS.keys() == {*OUTPUTS}


@pytest.mark.parametrize(
    ("value", "output", "text"),
    [
        (0.2006, "probability", "+20.1"),
        (-0.00948, "probability", "\N{MINUS SIGN}0.9"),
        (-1.236, "logit", "\N{MINUS SIGN}1.24"),
        (1.0, "centred", "+1.00"),
    ],
)
def test_probabilities_are_points_and_logits_stay(value: float, output: str, text: str) -> None:
    assert UNITS[output].text(value) == text


def test_the_end_of_a_scale_is_never_about_a_rounding() -> None:
    points = UNITS["probability"]
    assert points.is_nothing(0.0004)
    assert not points.is_nothing(-0.0006)
    assert points.text(0.0004) == "0.0"
    assert points.reach([0.0004, -0.0003]) == 1.0
    assert points.reach([-0.25, 0.1]) == 25.0
    assert UNITS["logit"].reach([]) == 0.1


def test_a_flip_is_a_sentence() -> None:
    off = Switches.only("c_con", stages=(5,))
    flip = lafe.Flip(off=off, switches=Switches.all(), prediction=1, probability=0.42)
    said = flip_text(flip, ["Blue Jay", "Cardinal"])
    assert said == "Without c_con5 this becomes Cardinal (42.0%)."
