"""Settings in an address, and back."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from app.state import address
from app.state.session import (
    AVERAGE,
    LAYERS,
    LIKELIEST,
    MAX_SEED,
    Display,
    Panel,
    Photo,
    Visit,
)
from lafe import Switches
from lafe.data.photo import WHOLE
from lafe.explain.controls import Controls

NAMES = ["a", "b", "c", "d"]


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
                        Switches(uniform & ~shuffled),
                        Switches(shuffled),
                        seed=rng.randint(0, MAX_SEED),
                    ),
                ]
            ),
        )

    left, top, right, bottom = (rng.random() / 2 + half for half in (0, 0, 0.5, 0.5))
    crop = (
        Visit()
        .with_photo(Photo("a", Image.new("RGB", (8, 8))))
        .with_crop((left, top, right, bottom))
        .photos[0]
        .crop
    )
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
