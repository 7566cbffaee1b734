"""A session that the server lost, as a page that stayed open comes back to a new one."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from visiting import app, goes_to, picture, said, upload, visit

pytestmark = pytest.mark.usefixtures("only_these")
FORGOT = "The server forgot your photo: upload it again."


def lose(at: AppTest) -> AppTest:
    """The server forgets everything; the browser goes on with the values of its widgets."""
    for name in ("visit", "known"):
        del at.session_state[name]
    return at.run()


@pytest.mark.parametrize("page", ["compare", "stages"])
def test_a_visitor_whose_photos_were_forgotten_is_told(page: str) -> None:
    at = goes_to(upload(app(), ("owl.png", picture())), page)
    assert FORGOT not in said(at)
    lose(at)
    assert not at.exception
    assert said(at).count(FORGOT) == 1
    assert not visit(at).photos
    assert not at.get("plotly_chart")
    assert FORGOT not in said(at.run())


def test_one_who_had_no_photo_is_not() -> None:
    at = app()
    assert FORGOT not in said(at)
    assert FORGOT not in said(lose(at))
    at = upload(app(), ("owl.png", picture()))
    next(b for b in at.button if b.label == "Remove").click().run()
    at.run()
    assert FORGOT not in said(lose(at))
