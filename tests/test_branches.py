"""Switches: every one of the 4,096 settings, and what is refused."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lafe.branches import BRANCHES, EVERY_BRANCH, PRESETS, STAGES, Branch, Switches

SETTINGS = st.integers(0, 4095).map(Switches.from_index)
NAMES = st.sets(st.sampled_from(BRANCHES))
PLACES = st.sets(st.sampled_from(STAGES))


def on(s: Switches) -> set[tuple[int, str]]:
    """What is on, asked one by one."""
    return {(i, b) for i in (3, 4, 5) for b in ("r_dis", "r_con", "c_dis", "c_con") if s[i, b]}


def test_every_setting_survives_its_text_and_its_index() -> None:
    texts = set()
    for index in range(4096):
        s = Switches.from_index(index)
        text = str(s)
        assert Switches.parse(text) == s
        assert s.index == index
        # Safe in URLs, in file names and on a command line, and never empty.
        assert re.fullmatch(r"[a-z0-9_.]+", text)
        texts.add(text)
    assert len(texts) == 4096


def test_a_bit_is_four_times_the_stage_from_three_plus_the_place_of_the_branch() -> None:
    expected = {
        (3, "r_dis"): 1, (3, "r_con"): 2, (3, "c_dis"): 4, (3, "c_con"): 8,
        (4, "r_dis"): 16, (4, "r_con"): 32, (4, "c_dis"): 64, (4, "c_con"): 128,
        (5, "r_dis"): 256, (5, "r_con"): 512, (5, "c_dis"): 1024, (5, "c_con"): 2048,
    }  # fmt: skip
    for (stage, branch), mask in expected.items():
        assert Switches.only(branch, stages=(stage,)).index == mask
        assert on(Switches.from_index(mask)) == {(stage, branch)}
    assert list(expected) == [(b.stage, b.name) for b in EVERY_BRANCH]
    assert [1 << branch.bit for branch in EVERY_BRANCH] == list(expected.values())


def test_none_is_a_setting_too() -> None:
    """So that "chosen or default" keeps it."""
    assert (Switches.none() or Switches.all()) == Switches.none()
    assert len(Switches.none()) == 0


def test_all_and_none() -> None:
    assert on(Switches.all()) == {(b.stage, b.name) for b in EVERY_BRANCH}
    assert on(Switches.none()) == set()
    assert (Switches.all().index, Switches.none().index) == (4095, 0)
    assert (str(Switches.all()), str(Switches.none())) == ("all", "none")


@given(SETTINGS, NAMES, PLACES)
def test_only_and_without_are_set_algebra(s: Switches, names: set[str], places: set[int]) -> None:
    chosen = {(i, b) for i in places for b in names}
    assert on(Switches.only(*names, stages=places)) == chosen
    assert on(s.without(*names, stages=places)) == on(s) - chosen
    assert on(Switches.only(*names)) == {(i, b) for i in STAGES for b in names}
    assert on(s.without(*names)) == {(i, b) for i, b in on(s) if b not in names}


@given(SETTINGS, st.sampled_from(EVERY_BRANCH))
def test_a_toggle_flips_one_branch(s: Switches, branch: Branch) -> None:
    flipped = s.toggled(branch)
    assert on(flipped) == on(s) ^ {(branch.stage, branch.name)}
    assert s.toggled(branch.stage, branch.name) == flipped
    assert flipped.toggled(branch) == s


@given(SETTINGS)
def test_iterating_gives_what_is_on_in_the_order_of_the_bits(s: Switches) -> None:
    assert list(s) == [b for b in EVERY_BRANCH if (b.stage, b.name) in on(s)]
    assert len(s) == len(on(s))


@given(SETTINGS, st.sets(st.sampled_from(EVERY_BRANCH)))
def test_branches_may_be_given_instead_of_names(s: Switches, branches: set[Branch]) -> None:
    chosen = {(b.stage, b.name) for b in branches}
    assert on(Switches.only(*branches)) == chosen
    assert on(s.without(*branches)) == on(s) - chosen
    assert {b for b in EVERY_BRANCH if s[b]} == set(s)


@given(SETTINGS, SETTINGS)
def test_a_setting_has_two_sides_and_shares(a: Switches, b: Switches) -> None:
    assert on(a & b) == on(a) & on(b)
    for side in ("dis", "con"):
        assert on(a.side(side)) == {(i, name) for i, name in on(a) if name[2:] == side}


def test_a_branch_is_a_value_in_the_order_of_the_bits() -> None:
    names = ["r_dis3", "r_con3", "c_dis3", "c_con3", "r_dis4", "r_con4",
             "c_dis4", "c_con4", "r_dis5", "r_con5", "c_dis5", "c_con5"]  # fmt: skip
    shuffled = sorted(map(Branch.parse, names), key=lambda b: hash((7, b)))
    assert [str(b) for b in sorted(shuffled)] == names == [str(b) for b in EVERY_BRANCH]
    for branch in EVERY_BRANCH:
        twin = Branch(branch.stage, branch.kind, branch.side)
        assert (twin, hash(twin)) == (branch, hash(branch))
        assert twin <= branch <= twin
        assert Branch.of(branch) is branch
        assert Branch.of(branch.stage, branch.name) == branch
        assert copy.deepcopy(pickle.loads(pickle.dumps(branch))) == branch
    with pytest.raises(FrozenInstanceError):
        EVERY_BRANCH[0].stage = 4  # type: ignore[misc]


def test_other_branches_are_refused() -> None:
    for make in (lambda: Branch(2, "r", "dis"), lambda: Branch.of(2, "r_dis")):
        with pytest.raises(ValueError, match="no stage 2"):
            make()
    for make in (lambda: Branch(3, "x", "dis"), lambda: Branch.of(3, "x_dis")):
        with pytest.raises(ValueError, match="no branch 'x_dis'"):
            make()
    for text in ("", "r_dis", "r_dis6", "R_dis5", "r_dis55"):
        with pytest.raises(ValueError, match="is no branch: write one like 'r_dis5'"):
            Branch.parse(text)


@given(SETTINGS, SETTINGS)
def test_equal_settings_are_one_key(a: Switches, b: Switches) -> None:
    assert (a == b) == (on(a) == on(b))
    twin = Switches.from_index(a.index)
    assert twin == a
    assert hash(twin) == hash(a)
    assert {a: 1, twin: 2} == {a: 2}
    assert pickle.loads(pickle.dumps(a)) == a
    assert copy.deepcopy(a) == a


def test_a_setting_cannot_be_changed() -> None:
    s = Switches.all()
    with pytest.raises(FrozenInstanceError):
        s.index = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        s[3, "r_dis"] = False  # type: ignore[index]
    s.without("r_dis")
    assert s == Switches.all()


def test_presets() -> None:
    assert {name: str(s) for name, s in PRESETS.items()} == {
        "full": "all",
        "no confusable": "r_dis345.c_dis345",
        "no discriminative": "r_con345.c_con345",
        "no region": "c_dis345.c_con345",
        "no channel": "r_dis345.r_con345",
        "stage 5 only": "r_dis5.r_con5.c_dis5.c_con5",
        "plain backbone": "none",
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_by_its_name(name: str) -> None:
    for text in (name, name.upper(), name.replace(" ", "-"), name.replace(" ", "_"), f" {name} "):
        assert Switches.parse(text) == PRESETS[name]


def test_texts_that_people_write_are_read() -> None:
    expected = Switches.only("r_dis").without("r_dis", stages=(4,))
    for text in ("r_dis35", "R_DIS53", "r_dis3.r_dis5", "r_dis3 r_dis5", "r_dis3, r_dis5"):
        assert Switches.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", ".", "r_dis", "r_dis6", "dis5", "all.r_dis5", "r_dis5.", "4095", "r_dis5;"]
)
def test_other_texts_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no setting of the switches") as caught:
        Switches.parse(text)
    message = str(caught.value)
    assert repr(text) in message
    assert "r_dis345.c_dis5" in message  # an example that can be copied
    assert message.endswith(".")
    assert "\n" not in message


@given(st.text("rcdison_345., alr", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        s = Switches.parse(text)
    except ValueError:
        return
    assert Switches.parse(str(s)) == s


def test_unknown_names_are_refused() -> None:
    for use in (Switches.only, Switches.all().without):
        with pytest.raises(ValueError, match="There is no branch 'x_dis'"):
            use("x_dis")
        with pytest.raises(ValueError, match="There is no stage 2"):
            use("r_dis", stages=(2,))
    with pytest.raises(ValueError, match="There is no stage 6"):
        Switches.all()[6, "r_dis"]


@pytest.mark.parametrize("index", [-1, 4096])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 4095"):
        Switches.from_index(index)


def test_an_index_is_a_whole_number() -> None:
    assert Switches.from_index(np.int64(7)) == Switches.from_index(7)
    for wrong in (7.9, "7"):
        with pytest.raises(TypeError):
            Switches.from_index(wrong)  # type: ignore[arg-type]
