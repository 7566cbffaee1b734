"""Names of settings."""

from __future__ import annotations

import pytest

from app.widgets.switchboard import setting_name
from lafe import Switches


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("all", "Full"),
        ("none", "Plain backbone"),
        ("r_dis5", "r_dis5"),
        ("c_con34", "c_con34"),
    ],
)
def test_a_branch_is_called_the_same_in_a_heading(setting: str, name: str) -> None:
    assert setting_name(Switches.parse(setting)) == name


def test_words_begin_with_a_capital() -> None:
    assert setting_name(Switches.all().without("r_con", stages=(5,))) == "All but r_con5"
