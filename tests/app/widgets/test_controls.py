"""What stands in for learned gates."""

from __future__ import annotations

import random

import pytest

from app.state.session import (
    Panel,
)
from app.widgets.controls import MODES, controlled, in_force
from lafe import Switches
from lafe.branches import EVERY_BRANCH
from lafe.explain.controls import Controls

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize("seed", range(10))
def test_controls_change_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    controls, expected = Controls(seed=3), dict.fromkeys(EVERY_BRANCH, "learned")
    for _ in range(30):
        some, mode = Switches(rng.randrange(4096)), rng.choice(MODES)
        controls = controlled(controls, some, mode)
        expected |= dict.fromkeys(some, mode)
        assert {key: controls[key] for key in EVERY_BRANCH} == expected
        if "shuffled" not in expected.values():
            assert controls.seed == 0


def test_controls_of_branches_that_are_off_are_not_in_force() -> None:
    controls = Controls(Switches.only("r_dis"), Switches.only("c_con", stages=(5,)))
    assert in_force(Panel(Switches.all(), controls=controls)) == "uniform r_dis345, shuffled c_con5"
    some = Switches.only("r_dis", "c_dis", stages=(3,))
    assert in_force(Panel(some, controls=controls)) == "uniform r_dis3"
    assert in_force(Panel(Switches.none(), controls=controls)) == ""
