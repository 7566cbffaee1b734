"""What was computed for a photo goes with the last visitor who had it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from streamlit.runtime import caching
from visiting import app, picture, upload

from app.state import leaving, models

pytestmark = pytest.mark.usefixtures("only_these")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' visitors never left."""
    monkeypatch.setattr(leaving, "_PRESENT", set())
    everybody_leaves()


def everybody_leaves() -> None:
    """As Streamlit does when a window is closed; all of AppTest's visitors have one session."""
    caching.clear_session_resource_cache("test session id")


@contextmanager
def backbone_passes() -> Iterator[list[int]]:
    passes: list[int] = []
    hook = models.model("birds").backbone.register_forward_hook(lambda *_: passes.append(1))
    yield passes
    hook.remove()


def test_a_photo_is_looked_at_anew_after_its_visitor_left() -> None:
    photo = ("owl.png", picture(71))
    with backbone_passes() as passes:
        upload(app(), photo)
        assert len(passes) == 1
        upload(app(), photo)  # in the same session
        assert len(passes) == 1
        assert len(leaving._PRESENT) == 1
        everybody_leaves()
        assert set() == leaving._PRESENT
        upload(app(), photo)
        assert len(passes) == 2


def test_what_another_visitor_needs_stays() -> None:
    photo = ("owl.png", picture(72))
    with backbone_passes() as passes:
        upload(app(), photo)
        other = leaving.Guest()
        other.needs = dict(next(iter(leaving._PRESENT)).needs)
        leaving._PRESENT.add(other)
        everybody_leaves()
        upload(app(), photo)
        assert len(passes) == 1
        leaving._leave(other)  # the one who is back needs it still
        upload(app(), photo)
        assert len(passes) == 1
        everybody_leaves()
        upload(app(), photo)
        assert len(passes) == 2
