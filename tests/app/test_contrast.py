"""Words can be read against what is behind them (WCAG 2.2, contrast of at least 4.5)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
CSS = (ROOT / "app" / "assets" / "style.css").read_text()
OWN = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", CSS))
SIDEBAR = THEME | THEME["sidebar"]
WHITE = "#ffffff"

PAIRS = {
    "text": (THEME["textColor"], THEME["backgroundColor"]),
    "text in fields": (THEME["textColor"], THEME["secondaryBackgroundColor"]),
    "text in the sidebar": (SIDEBAR["textColor"], SIDEBAR["backgroundColor"]),
    "links": (THEME["linkColor"], THEME["backgroundColor"]),
    "primary buttons": (WHITE, THEME["primaryColor"]),
    "quiet text": (OWN["soft"], THEME["secondaryBackgroundColor"]),
    "the word discriminative": (OWN["dis"], THEME["backgroundColor"]),
    "the word confusable": (OWN["con-dark"], THEME["backgroundColor"]),
    "a discriminative switch that is on": (WHITE, OWN["dis"]),
    "a confusable switch that is on": (WHITE, OWN["con-dark"]),
    "a panel's letter": (WHITE, OWN["ink"]),
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
    assert contrast("#000000", WHITE) == pytest.approx(21)
    assert contrast("#767676", WHITE) == pytest.approx(4.54, abs=0.01)  # the known limit of greys


@pytest.mark.parametrize("name", PAIRS)
def test_words_can_be_read(name: str) -> None:
    assert contrast(*PAIRS[name]) >= 4.5
