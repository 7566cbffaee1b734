"""An operator's photos: each is shown with whose it is, or refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from lafe.data.examples import ExampleError, licensed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png"):
        Image.new("RGB", (60, 50), "red").save(tmp_path / name)
    return tmp_path


def test_the_order_and_the_words_are_the_operator_s(folder: Path) -> None:
    (folder / "licences.txt").write_text("b.png  Jane Doe, public domain\n\na.png\tCC0\n")
    assert licensed(folder) == {
        folder / "b.png": "Jane Doe, public domain",
        folder / "a.png": "CC0",
    }
    assert [p.name for p in licensed(folder)] == ["b.png", "a.png"]


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (None, "write a line a photo"),
        ("a.png CC0\nb.png\n", "b.png does not say whose"),
        ("a.png CC0\n", "no line for b.png"),
        ("a.png CC0\nb.png CC0\nc.png CC0\n", "c.png cannot be used"),
    ],
)
def test_a_photo_without_a_line_is_refused(folder: Path, listing: str | None, said: str) -> None:
    if listing is not None:
        (folder / "licences.txt").write_text(listing)
    with pytest.raises(ExampleError, match=re.escape(said)):
        licensed(folder)
