"""The model follows from the photo."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from visiting import app, bars, goes_to, picture, said, truth, upload, visit

from app.state import models
from lafe import Switches, load
from lafe.checkpoints import store
from lafe.explain.router import FILE, KINDS, Router

pytestmark = pytest.mark.usefixtures("only_these")


@pytest.fixture
def recognised_as(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """A router that takes every photo for one kind."""
    kind = str(request.param)
    model = load(folder / "birds")
    bias = torch.zeros(len(KINDS))
    bias[list(KINDS).index(kind)] = 9
    weight = torch.zeros(len(KINDS), sum(model.backbone.channels))
    Router(weight, bias, "birds", model.card.sha256).write(tmp_path / FILE)
    monkeypatch.setattr(store, "folders", lambda: [folder, tmp_path])
    return kind


@pytest.mark.parametrize("recognised_as", ["car"], indirect=True)
def test_a_photo_goes_to_the_model_of_its_kind(recognised_as: str) -> None:
    data = picture(7)
    at = upload(app(), ("owl.png", data))
    assert "Recognised as a car." in said(at)
    assert visit(at).model == "cars"
    assert bars(at, 0)[0] == pytest.approx(float(truth("cars", data, Switches.all()).max()), 1e-4)
    at.button(key="use-birds").click().run()  # Change
    assert visit(at).model == "birds"
    assert "Recognised" not in said(at)


@pytest.mark.parametrize("recognised_as", ["other", "drawn bird"], indirect=True)
def test_what_no_model_knows_matches_nothing_on_any_page(recognised_as: str) -> None:
    at = upload(app(), ("owl.png", picture(8)))
    assert visit(at).model == "birds"
    for page in ("compare", "stages", "ablation", "attribution", "lookalikes"):
        goes_to(at, page)
        assert not at.exception
        assert "No match; nearest: " in said(at), page


def test_without_a_router_the_first_model_looks() -> None:
    at = upload(app(), ("owl.png", picture(9)))
    assert visit(at).model == "birds"
    assert visit(at).photo is not None
    assert visit(at).photo.kind is None
    assert "Model Birds" in said(at)
    assert models.cards().keys() == {"birds", "cars"}
