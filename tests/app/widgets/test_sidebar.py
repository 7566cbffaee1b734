"""Photos on their way to a server that is started anew."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.runtime.uploaded_file_manager import DeletedFile

from app.state import session
from app.widgets import sidebar


def test_a_file_that_went_to_a_lost_server_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state: dict[str, Any] = {"upload-first-0": [DeletedFile("an id")], "round-upload-first": 0}
    monkeypatch.setattr("streamlit.session_state", state)
    sidebar._take("upload-first", "upload-first-0")
    assert session.take_notices() == ["A photo did not arrive: upload it again."]
    assert session.visit().photos == ()
    assert state["round-upload-first"] == 1
