"""The app's parts that need no browser: outcomes, addresses, what is kept, the diagram."""

from __future__ import annotations

import random
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import photos, tiny_model

from app.figures import maps
from app.figures.diagram import diagram
from app.figures.maps import Question
from app.state import address
from app.state.outcome import change, evaluated, outcome
from app.state.session import (
    AVERAGE,
    LAYERS,
    LIKELIEST,
    MAX_PHOTOS,
    MAX_SEED,
    WHOLE,
    Display,
    Panel,
    Photo,
    Visit,
)
from app.widgets.controls import MODES, controlled, in_force
from app.widgets.display import question
from app.widgets.parts import plain
from app.widgets.switchboard import setting_name
from lafe import PRESETS, Switches, prepare
from lafe.branches import EVERY_BRANCH
from lafe.explain.controls import Controls
from lafe.render.text import number, percent

NAMES = ["a", "b", "c", "d"]


# Outcomes


def test_top_and_ranks_by_hand() -> None:
    o = outcome(NAMES, torch.tensor([0.0, 2.0, 1.0, 2.0]).log1p())
    assert [name for name, _ in o.top(3)] == ["b", "d", "c"]  # of equals the first
    assert [p for _, p in o.top(4)] == pytest.approx([3 / 9, 3 / 9, 2 / 9, 1 / 9])
    assert [o.rank(n) for n in NAMES] == [4, 1, 3, 1]
    assert o.rank("x") is None
    assert o.probability("x") is None


def test_change_by_hand() -> None:
    a = outcome(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]).log())
    b = outcome(NAMES, torch.tensor([1.0, 2.0, 6.0, 1.0]).log())
    c = change(a, b)
    assert (c.flipped, c.identical, c.before, c.after, c.rank_after) == (True, False, "a", "c", 3)
    assert c.points == pytest.approx(100 * (0.1 - 0.4))
    same = change(a, outcome(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]).log()))
    assert same.identical
    assert not same.flipped
    assert same.points == 0


def test_one_bit_is_no_identity() -> None:
    logits = torch.tensor([4.0, 3.0, 2.0, 1.0])
    other = logits.clone()
    other[3] = torch.nextafter(other[3], torch.tensor(9.0))
    assert not change(outcome(NAMES, logits), outcome(NAMES, other)).identical
    assert not change(outcome(NAMES, logits), outcome(NAMES[::-1], logits)).identical


def test_a_class_that_the_other_model_does_not_know() -> None:
    a = outcome(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]))
    c = change(a, outcome(["x", "y"], torch.tensor([1.0, 0.0])))
    assert (c.rank_after, c.probability_after, c.points) == (None, None, None)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "0.0%"), (1e-6, "<0.1%"), (0.5, "50.0%"), (0.99951, ">99.9%"), (1, "100.0%")],
)
def test_percent_says_neither_never_nor_always(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.04, "+.1f", "+0.0"),
        (-0.06, "+.1f", "\N{MINUS SIGN}0.1"),
        (0.06, "+.1f", "+0.1"),
        (-1234.5, ".3g", "\N{MINUS SIGN}1.23e+03"),
        (-0.0, ".3g", "0"),
    ],
)
def test_a_zero_has_no_minus(value: float, form: str, text: str) -> None:
    assert number(value, form) == text


def test_evaluated_is_the_model() -> None:
    model, x = tiny_model(), photos(1)
    for switches in PRESETS.values():
        found = evaluated(prepare(model, x).fused(switches))
        with torch.no_grad():
            assert torch.equal(found.logits, model(x, switches)[0])
        total = found.maps["dis"] - found.maps["con"]
        f5 = prepare(model, x).feature(5)[0].mean(0).numpy()
        np.testing.assert_allclose(found.maps["final"], f5 + total, atol=1e-5)


# Scales


def test_one_scale_holds_all_maps_and_is_centred_where_one_is_signed() -> None:
    low, high, minus = (
        maps.Layer("", np.full((2, 2), value, np.float32), "") for value in (1, 3, -5)
    )
    off = maps.Layer("", None, "")
    assert maps.scale([low, high, off]) == maps.Scale((1, 3), signed=False)
    assert maps.scale([low, replace(high, signed=True)]) == maps.Scale((-3, 3), signed=True)
    assert maps.scale([low, minus]) == maps.Scale((-5, 5), signed=True)
    assert maps.scale([off]) is None


# Evidence and controls


@pytest.mark.parametrize(
    ("target", "versus", "expected"),
    [
        (LIKELIEST, AVERAGE, ("c", AVERAGE)),
        (LIKELIEST, LIKELIEST, ("c", "a")),  # the runner-up
        ("b", LIKELIEST, ("b", "c")),  # of the others, the likeliest
        ("b", "d", ("b", "d")),
        ("b", "b", ("b", "c")),  # a class is not compared with itself
        ("of another model", "of another model", ("c", "a")),
    ],
)
def test_what_evidence_is_asked_for(target: str, versus: str, expected: tuple[str, str]) -> None:
    first = outcome(NAMES, torch.tensor([3.0, 2.0, 4.0, 1.0]))
    assert question(Display(target=target, versus=versus), first) == Question(*expected)


def test_a_model_of_one_class_has_no_runner_up() -> None:
    only = outcome(["a"], torch.tensor([1.0]))
    assert question(Display(versus=LIKELIEST), only) == Question("a", AVERAGE)


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


# Addresses


def random_visit(rng: random.Random) -> Visit:
    def panel() -> Panel:
        uniform, shuffled = rng.randrange(4096), rng.choice([0, rng.randrange(4096)])
        return Panel(
            Switches.from_index(rng.randrange(4096)),
            rng.choice([None, "cars", "x@y"]),
            rng.choice(
                [
                    Controls(),
                    Controls(
                        Switches(uniform & ~shuffled), Switches(shuffled), rng.randint(0, MAX_SEED)
                    ),
                ]
            ),
        )

    left, top, right, bottom = (rng.random() / 2 + half for half in (0, 0, 0.5, 0.5))
    crop = Visit().with_photo(photo("a")).with_crop((left, top, right, bottom)).photos[0].crop
    return Visit(
        checkpoint=rng.choice([None, "birds", "cars"]),
        panels=tuple(panel() for _ in range(rng.randint(2, 4))),
        display=Display(
            rng.choice(LAYERS),
            rng.choice([LIKELIEST, "Coupe", "Mini & Co"]),
            rng.choice([AVERAGE, LIKELIEST, "Coupe", "Owl"]),
            rng.random() < 0.5,
            rng.randrange(101) / 100,
        ),
        first_crop=rng.choice([WHOLE, crop]),
    )


@pytest.mark.parametrize("seed", range(50))
def test_an_address_is_read_back(seed: int) -> None:
    visit = random_visit(random.Random(seed))
    known = {"birds": ["Owl"], "cars": ["Coupe"], "x@y": ["Mini & Co"]}
    assert address.read(address.write(visit), known) == (visit, [])


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("checkpoint", "other"),
        ("a", ""),
        ("a", "r_dis9"),
        ("b", "all@other"),
        ("c", "r_dis345.'; DROP"),
        ("a", "all~uniform:r_dis5~shuffled:r_dis5"),
        ("a", "all~uniform"),
        ("a", "all~random:r_dis5"),
        ("a", "all~uniform:all~seed:-1"),
        ("a", "all~seed:1e9"),
        ("class", "Coupe"),
        ("class", ""),
        ("rather", "Coupe"),
        ("crop", "0,0,1"),
        ("crop", "0,0,2,1"),
        ("crop", "0.5,0,0.5,1"),
        ("crop", "nan,0,1,1"),
        ("map", "__class__"),
        ("scale", "1"),
        ("opacity", "101"),
        ("opacity", "-1"),
        ("opacity", "1e400"),
    ],
)
def test_what_cannot_be_read_is_named_and_falls_back(key: str, text: str) -> None:
    assert address.read({key: text, "utm": "x"}, {"birds": ["Owl"]}) == (Visit(), [key])


# What is kept


def photo(digest: str) -> Photo:
    return Photo(digest, Image.new("RGB", (8, 8)))


def test_photos_come_and_go() -> None:
    visit = Visit(first_crop=(0.1, 0.1, 0.9, 0.9)).with_photo(photo("a")).with_photo(photo("b"))
    assert [p.crop for p in visit.photos] == [(0.1, 0.1, 0.9, 0.9), WHOLE]
    visit = visit.with_photo(photo("a"))
    assert (visit.current, len(visit.photos)) == ("a", 2)
    visit = visit.with_crop((0, 0, 0.5, 0.5)).without_photo("a")
    assert visit.photo == photo("b")
    assert visit.without_photo("b").photo is None
    assert MAX_PHOTOS > 1


def test_a_panel_without_a_checkpoint_uses_the_visits() -> None:
    visit = Visit(checkpoint="birds").with_panel(1, checkpoint="cars")
    assert [visit.checkpoint_of(p) for p in visit.panels] == ["birds", "cars"]


# Words and pictures


def test_plain_text_has_no_markup_left() -> None:
    nasty = "*a* _b_ [c](d) `e` :red[f] $g$ # <b>h</b> ![i](j) :material/home:"
    escaped = plain(nasty)
    assert escaped.replace("\\", "") == nasty
    for sign in "*_[]()`:$#<>!":
        assert escaped.count(sign) == escaped.count("\\" + sign)


def test_settings_are_named_by_what_is_shorter() -> None:
    assert setting_name(PRESETS["no region"]) == "No region"
    assert setting_name(Switches.all().without("r_con", stages=(5,))) == "All but r_con5"
    assert setting_name(Switches.only("r_con", stages=(5,))) == "r_con5"


@pytest.mark.parametrize("switches", PRESETS.values(), ids=list(PRESETS))
def test_the_diagram_shows_what_is_on(switches: Switches) -> None:
    svg = ElementTree.fromstring(diagram(switches))
    found = {
        g.get("data-switch"): g.get("aria-checked") == "true"
        for g in svg.iter()
        if g.get("role") == "switch"
    }
    assert found == {
        f"{branch}{stage}": switches[stage, branch]
        for stage in (3, 4, 5)
        for branch in ("r_dis", "r_con", "c_dis", "c_con")
    }
