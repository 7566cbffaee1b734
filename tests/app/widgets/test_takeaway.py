"""What the buttons of the page Compare would give."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from visiting import app, picture, truth, upload

from lafe import Switches

pytestmark = pytest.mark.usefixtures("only_these")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], bytes | str]]:
    """What the download buttons of the last run are given."""
    given: dict[str, Callable[[], bytes | str]] = {}
    monkeypatch.setattr(
        st, "download_button", lambda label, data, name, *_, **__: given.update({name: data})
    )
    return given


def test_the_archive_holds_what_the_panels_show(
    made: dict[str, Callable[[], bytes | str]],
) -> None:
    data = picture(3)
    at: AppTest = upload(app(b="r_dis345.c_dis5"), ("owl.png", data))
    assert not at.exception
    at.selectbox(key="model-1").set_value("cars").run()
    archive = made["comparison.zip"]()
    assert isinstance(archive, bytes)
    packed = zipfile.ZipFile(io.BytesIO(archive))
    panels = json.loads(packed.read("comparison/comparison.json"))["panels"]
    settings = [("birds", Switches.all()), ("cars", Switches.parse("r_dis345.c_dis5"))]
    for panel, (name, switches) in zip(panels, settings, strict=True):
        assert panel["checkpoint"]["name"] == name
        expected = truth(name, data, switches).sort(descending=True).values
        np.testing.assert_allclose(
            [c["probability"] for c in panel["classes"]], expected, atol=1e-5
        )
    page = made["report.html"]()
    assert isinstance(page, str)
    assert "Red_Kite *x*" in page


def test_nothing_is_made_until_it_is_asked_for(
    made: dict[str, Callable[[], bytes | str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lafe.render.comparison.prepare", lambda *_: torch.zeros(0))  # would fail
    upload(app(), ("owl.png", picture(4)))
    assert set(made) == {"comparison.zip", "report.html"}


def test_a_refused_model_offers_nothing(
    made: dict[str, Callable[[], bytes | str]],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "card.json").write_text((folder / "birds" / "card.json").read_text())
    (tmp_path / "birds" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr("lafe.checkpoints.store.folders", lambda: [tmp_path])
    at = upload(app(), ("owl.png", picture(5)))
    assert not at.exception
    assert not made
