"""Words can be read against what is behind them (WCAG 2.2, contrast of at least 4.5)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lafe.render import palette
from lafe.render.overlay import colour_bar

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("plum", "ochre", "rose")
THEMES = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]


def pairs(kind: str) -> dict[str, tuple[str, str]]:
    """Words and what is behind them, in the light theme or the dark one."""
    theme = THEMES[kind]
    side = theme | theme["sidebar"]
    c = palette.COLOURS if kind == "light" else palette.COLOURS | palette.DARK
    return {
        "text": (theme["textColor"], theme["backgroundColor"]),
        "text in fields": (theme["textColor"], theme["secondaryBackgroundColor"]),
        "text in the sidebar": (side["textColor"], side["backgroundColor"]),
        "links": (theme["linkColor"], theme["backgroundColor"]),
        "primary buttons": (c["paper"], theme["primaryColor"]),
        "quiet text": (c["soft"], theme["secondaryBackgroundColor"]),
        "the word discriminative": (c["dis"], theme["backgroundColor"]),
        "the word confusable": (c["con-dark"], theme["backgroundColor"]),
        "a discriminative switch that is on": (c["paper"], c["dis"]),
        "a confusable switch that is on": (c["paper"], c["con-dark"]),
        "a panel's letter": (c["paper"], c["accent"]),
        "words of what is off": (c["faint"], c["paper"]),
        "a photo that matches nothing": (c["faint"], c["paper"]),
        "the true class": (c["right"], c["paper"]),
        "gates that are not as learned": (c["control"], c["paper"]),
        "words of a figure": (c["ink"], c["paper"]),
        "small numbers of a figure": (c["faint"], c["paper"]),
        "the backbone in the diagram": (c["backbone"], c["grid"]),
        "the name of an example": (c["ink"], c["empty"]),
    }


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """From 1 to 21."""
    dark, light = sorted(map(luminance, (a, b)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_by_hand() -> None:
    assert contrast("#000000", palette.PAPER) == pytest.approx(21)
    assert contrast("#767676", palette.PAPER) == pytest.approx(
        4.54, abs=0.01
    )  # the known limit of greys


@pytest.mark.parametrize("kind", ["light", "dark"])
@pytest.mark.parametrize("name", pairs("light"))
def test_words_can_be_read(name: str, kind: str) -> None:
    assert contrast(*pairs(kind)[name]) >= 4.5


@pytest.mark.parametrize("kind", ["light", "dark"])
@pytest.mark.parametrize("name", ["dis", "con", "backbone", "accent", "right", *OTHERS])
def test_curves_and_bars_can_be_seen(name: str, kind: str) -> None:
    c = palette.COLOURS if kind == "light" else palette.DARK
    assert contrast(c[name], c["paper"]) >= 3


@pytest.mark.parametrize("share", [i / 20 for i in range(-20, 21)])
def test_numbers_on_the_colours_of_a_map_can_be_read(share: float) -> None:
    pixel = colour_bar((-1, 1), signed=True)[0, round(127.5 + 127.5 * share)]
    behind = "#" + "".join(f"{int(channel):02x}" for channel in pixel)
    assert contrast(palette.words_on(share), behind) >= 4.5
