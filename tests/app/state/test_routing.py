"""The model follows from the photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from visiting import BIRDS, CARS, app, bars, goes_to, picture, said, truth, upload, visit

from app.state import address, models, session
from app.state.session import Photo, Visit
from lafe import Switches, load, open_photo, prepare
from lafe.checkpoints import store
from lafe.data.photo import WHOLE, Box, crop
from lafe.explain.crop import Proposal
from lafe.explain.router import FILE, KINDS, OTHER, Router, pooled

CUT = (0.25, 0.25, 0.75, 0.75)

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


@pytest.mark.parametrize(
    ("recognised_as", "offered"), [("other", True), ("car", False)], indirect=["recognised_as"]
)
def test_a_crop_of_no_known_kind_needs_no_model_that_likes_it(
    recognised_as: str, offered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "proposal", lambda *_: Proposal(CUT, closer=False))
    monkeypatch.setattr(models, "is_unknown", lambda *_: True)
    at = upload(app(), ("street.png", picture(8)))
    assert ("propose-crop" in [button.key for button in at.button]) == offered


def test_without_a_router_the_first_model_looks() -> None:
    at = upload(app(), ("owl.png", picture(9)))
    assert visit(at).model == "birds"
    assert visit(at).photo is not None
    assert visit(at).photo.kind is None
    assert "Model Birds" in said(at)
    assert models.cards().keys() == {"birds", "cars"}


@pytest.fixture(params=["bird"])
def street(
    only_these: None,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """A router to which a whole photo is a bird, or no known kind, and the middle of it a car."""
    model = load(folder / "birds")
    whole_is, car = (list(KINDS).index(kind) for kind in (request.param, "car"))
    whole, part = (
        pooled(prepare(model, crop(open_photo(picture(7)), box)).features)[0]
        for box in (WHOLE, CUT)
    )
    weight = torch.zeros(len(KINDS), len(whole))
    bias = torch.full((len(KINDS),), -1e4)
    weight[car] = 1e3 * (part - whole)
    bias[car] = float(-weight[car] @ (part + whole) / 2)
    bias[whole_is] = 0
    Router(weight, bias, "birds", model.card.sha256).write(tmp_path / FILE)
    monkeypatch.setattr(store, "folders", lambda: [folder, tmp_path])


@pytest.mark.parametrize("street", ["bird", OTHER], indirect=True)
@pytest.mark.usefixtures("street")
def test_of_a_photo_that_nothing_matches_a_crop_is_recognised_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "is_unknown", lambda photo, _: photo.crop == WHOLE)
    data = picture(7)
    at = upload(app(), ("street.png", data))
    assert "No match" in said(at)
    assert visit(at).model == "birds"
    cropped(at, CUT)
    assert "Recognised as a car." in said(at)
    assert visit(at).model == "cars"
    cropped(at, WHOLE)
    assert "No match" in said(at)
    assert visit(at).model == "birds"


@pytest.mark.usefixtures("street")
def test_a_crop_of_what_matches_stays_with_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "is_unknown", lambda *_: False)
    at = cropped(upload(app(), ("owl.png", picture(7))), CUT)
    assert "Recognised as a bird." in said(at)
    assert visit(at).model == "birds"


@pytest.mark.usefixtures("street")
def test_the_model_that_somebody_chose_looks_at_every_crop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "is_unknown", lambda *_: True)
    at = upload(app(), ("street.png", picture(7)))
    at.pills(key="checkpoint").set_value("cars").run()
    at.pills(key="checkpoint").set_value("birds").run()
    assert visit(cropped(at, CUT)).model == "birds"


def test_back_over_a_crop_has_the_photo_recognised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    photo = Photo("d", open_photo(picture()), kind="bird", checkpoint="birds", recognised=WHOLE)
    before = Visit(checkpoint="birds", photos=(photo,), current="d")
    params = address.write(before)
    state["address-of"] = {address._key(params): "d"}
    seen = replace(photo, crop=CUT, kind="car", checkpoint="cars", recognised=CUT)
    session.keep(replace(before, photos=(seen,)))
    address.go_back(params, {"birds": BIRDS, "cars": CARS})
    now = session.visit().photo
    assert now == replace(photo, kind="car", recognised=CUT)
    assert now.is_new
    chosen = replace(photo, crop=CUT, kind=None, checkpoint="cars", recognised=CUT)
    session.keep(replace(before, photos=(chosen,)))
    address.go_back(params, {"birds": BIRDS, "cars": CARS})
    now = session.visit().photo
    assert now is not None
    assert (now.checkpoint, now.is_new) == ("birds", False)


def cropped(at: AppTest, box: Box) -> AppTest:
    at.session_state["visit"] = visit(at).with_crop(box)
    return at.run()
