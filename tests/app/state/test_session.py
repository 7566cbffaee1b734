"""What a visitor chose is kept."""

from __future__ import annotations

from PIL import Image

from app.state.session import (
    MAX_PHOTOS,
    Photo,
    Visit,
)
from lafe.data.photo import WHOLE

NAMES = ["a", "b", "c", "d"]


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
