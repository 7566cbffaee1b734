"""What things are called."""

from __future__ import annotations

import pytest

from lafe import PRESETS, Switches
from lafe.render import labels

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_name(name: str) -> None:
    assert labels.setting(PRESETS[name]) == name


def test_settings_are_named_by_what_is_shorter() -> None:
    assert labels.setting(Switches.all().without("r_con", stages=(5,))) == "all but r_con5"
    assert labels.setting(Switches.only("r_con", stages=(5,))) == "r_con5"


def test_branches_are_listed_in_a_sentence() -> None:
    assert labels.listed(Switches.parse("c_con5")) == "c_con5"
    assert labels.listed(Switches.parse("r_dis3.c_dis5.c_con5")) == "r_dis3, c_dis5 and c_con5"


def test_stand_ins_are_named_with_their_branches() -> None:
    found = {"uniform": Switches.only("r_dis"), "shuffled": Switches.only("c_con", stages=(5,))}
    assert labels.stand_ins(found) == "uniform r_dis345, shuffled c_con5"
    assert labels.stand_ins({}) == ""
