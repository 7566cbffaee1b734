"""Families, makes and manufacturers, against names that people know and FGVC-Aircraft's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import lafe
from lafe.data.levels import bird_family, levels_of, make

CHECKPOINTS = Path(lafe.__file__).parents[1] / "checkpoints"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Gray Catbird", "Mockingbirds"),
        ("Spotted Catbird", "Bowerbirds"),
        ("House Sparrow", "Old World sparrows"),
        ("Song_Sparrow", "New World sparrows"),
        ("Pine Grosbeak", "Finches"),
        ("Blue Grosbeak", "Cardinals"),
        ("Chuck will Widow", "Nightjars"),
        ("Blue Jay", "Crows and jays"),
        ("Western Wood Pewee", "Tyrant flycatchers"),
        ("Ostrich", None),
    ],
)
def test_the_family_of_a_bird(name: str, family: str | None) -> None:
    assert bird_family(name) == family


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("Audi RS 4 Convertible 2008", "Audi"),
        ("Aston Martin V8 Vantage Coupe 2012", "Aston Martin"),
        ("AM General Hummer SUV 2000", "AM General"),
        ("North American P-51 Mustang", "North American"),
        ("de Havilland Mosquito", "de Havilland"),
    ],
)
def test_the_make_of_a_car_and_the_manufacturer_of_an_aircraft(name: str, of: str) -> None:
    assert make(name) == of


@pytest.mark.parametrize(
    ("checkpoint", "groups"),
    [
        ("birds", {"family": 20}),
        ("cars", {"make": 49}),
        ("aircraft", {"family": 42, "manufacturer": 24}),
    ],
)
def test_every_shipped_class_has_its_groups(checkpoint: str, groups: dict[str, int]) -> None:
    card = lafe.load(CHECKPOINTS / checkpoint).card
    found = levels_of(card.data["name"], card.classes)
    assert {level: len(set(names)) for level, names in found.items()} == groups
    assert {len(names) for names in found.values()} == {len(card.classes)}


def test_the_files_of_aircraft_say_more_than_names(tmp_path: Path) -> None:
    home = tmp_path / "fgvc-aircraft-2013b" / "data"
    (home / "images").mkdir(parents=True)
    rows = {"1": ("737-300", "Boeing 737", "Boeing"), "2": ("A318", "A320", "Airbus")}
    for i, (level, plural) in enumerate(
        {"variant": "variants", "family": "families", "manufacturer": "manufacturers"}.items()
    ):
        (home / f"{plural}.txt").write_text("\n".join(row[i] for row in rows.values()))
        lines = [f"{number} {row[i]}" for number, row in rows.items()]
        (home / f"images_{level}_trainval.txt").write_text("\n".join(lines))
    for number in rows:
        Image.new("RGB", (8, 8)).save(home / "images" / f"{number}.jpg")
    names = ["A318", "737-300"]
    assert levels_of("aircraft", names) == {}
    assert levels_of("aircraft", names, tmp_path) == {
        "family": ("A320", "Boeing 737"),
        "manufacturer": ("Airbus", "Boeing"),
    }
    assert levels_of("aircraft", [*names, "Concorde"], tmp_path) == {}


def test_unknown_birds_and_other_data_have_no_groups() -> None:
    assert levels_of("cub", ["Blue Jay", "Ostrich"]) == {}
    assert levels_of("folder", ["Blue Jay"]) == {}
