"""One palette: no other file has a colour of its own."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from lafe.render import palette
from lafe.render.overlay import colour_bar

ROOT = Path(__file__).resolve().parents[2]
DRAWN = [
    *(ROOT / "app").rglob("*.py"),
    *(ROOT / "app" / "assets").glob("*.css"),
    *(ROOT / "lafe" / "render").rglob("*.py"),
    *(ROOT / "lafe" / "render" / "templates").glob("*"),
]
SHADES = {"#f4f5f6", "#f7f8f9", "#005a8e"}
"""Of Streamlit alone: what is behind fields and the sidebar, and links."""


def colours(file: Path) -> set[str]:
    """All that are written as #rrggbb."""
    return set(re.findall(r"#[0-9a-fA-F]{6}\b", file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", DRAWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_colours_come_from_the_palette(file: Path) -> None:
    assert not colours(file) or file == Path(palette.__file__)


def test_files_that_cannot_ask_have_the_palette_s_colours() -> None:
    known = {*palette.COLOURS.values(), *palette.DARK.values()}
    for file in (ROOT / "app" / "assets").glob("*.svg"):
        assert colours(file) <= known, file
    assert colours(ROOT / ".streamlit" / "config.toml") <= known | SHADES


def test_streamlit_s_theme_means_the_same_by_a_colour() -> None:
    themes = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    for kind, own in (("light", palette.COLOURS), ("dark", palette.DARK)):
        theme = themes[kind]
        assert theme["textColor"] == own["ink"]
        assert theme["primaryColor"] == own["accent"]
        assert theme["backgroundColor"] == own["paper"]
        assert theme["blueColor"] == own["dis"]
        assert theme["orangeColor"] == own["con"]
        assert theme["grayColor"] == own["backbone"]


def test_style_sheets_use_names_that_there_are() -> None:
    given = set(re.findall(r"--([\w-]+):", palette.css()))
    assert given == set(palette.COLOURS)
    places = {"ratio", "scale", "x", "y", "wipe"}  # of pictures, which viewer.js sets
    for file in DRAWN:
        used = set(re.findall(r"var\(--([\w-]+)\)", file.read_text(encoding="utf-8")))
        assert {name for name in used if not name.startswith("st-")} <= given | places, file


def test_for_and_against_are_the_ends_of_a_map_s_colours() -> None:
    bar = colour_bar((-1, 1), signed=True)[0]
    assert tuple(bar[-1].tolist()) == palette.DIVERGING[1.0]
    assert tuple(bar[0].tolist()) == palette.DIVERGING[-1.0]
