"""Words can be read against what is behind them (WCAG 2.2, contrast of at least 4.5)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lafe.render.palette import ACCENT, CON_DARK, CONTROL, DIS, FAINT, INK, PAPER, RIGHT, SOFT

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
SIDEBAR = THEME | THEME["sidebar"]

PAIRS = {
    "text": (THEME["textColor"], THEME["backgroundColor"]),
    "text in fields": (THEME["textColor"], THEME["secondaryBackgroundColor"]),
    "text in the sidebar": (SIDEBAR["textColor"], SIDEBAR["backgroundColor"]),
    "links": (THEME["linkColor"], THEME["backgroundColor"]),
    "primary buttons": (PAPER, THEME["primaryColor"]),
    "quiet text": (SOFT, THEME["secondaryBackgroundColor"]),
    "the word discriminative": (DIS, THEME["backgroundColor"]),
    "the word confusable": (CON_DARK, THEME["backgroundColor"]),
    "a discriminative switch that is on": (PAPER, DIS),
    "a confusable switch that is on": (PAPER, CON_DARK),
    "a panel's letter": (PAPER, ACCENT),
    "words of what is off": (FAINT, PAPER),
    "the true class": (RIGHT, PAPER),
    "gates that are not as learned": (CONTROL, PAPER),
    "words of a figure": (INK, PAPER),
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
    assert contrast("#000000", PAPER) == pytest.approx(21)
    assert contrast("#767676", PAPER) == pytest.approx(4.54, abs=0.01)  # the known limit of greys


@pytest.mark.parametrize("name", PAIRS)
def test_words_can_be_read(name: str) -> None:
    assert contrast(*PAIRS[name]) >= 4.5
