"""The page "What if": what it says of a painted region and of places is what lafe says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from tiny import tiny_model
from visiting import BIRDS, app, goes_to, picture, said, upload, visit

import lafe
from app.pages.whatif import _NOTHING
from app.widgets.components import CELLS
from app.widgets.parts import plain
from lafe import Prepared, Switches, load, open_photo, prepare
from lafe.checkpoints import store
from lafe.checkpoints.trained import Trained
from lafe.explain.region import packed, unpacked
from lafe.render.text import number, percent

pytestmark = pytest.mark.usefixtures("only_these")

A, B = picture(3), picture(8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    model = tiny_model(0)
    model.classifier.bias.data.zero_()  # so that places are needed
    store.save(model, folder / "birds", BIRDS)
    return folder


def page(*photos: bytes) -> AppTest:
    uploaded = upload(app(), *((f"{i}.png", data) for i, data in enumerate(photos)))
    at: AppTest = goes_to(uploaded, "whatif")
    assert not at.exception
    return at


@cache
def model(folder: Path) -> Trained:
    return load(folder / "birds")


def ready(folder: Path, data: bytes) -> Prepared:
    return prepare(model(folder), open_photo(data))


def two(photo: Prepared) -> tuple[int, int]:
    a, b = photo.logits(Switches.all()).topk(2).indices.tolist()
    return a, b


def paint(at: AppTest, cells: bytes) -> AppTest:
    """As the brush does: AppTest cannot draw in a component."""
    at.session_state["visit"] = visit(at).with_choice(_key(at), cells)
    return at.run()


def _key(at: AppTest) -> str:
    photo = visit(at).photo
    assert photo is not None
    return f"brush-{photo.digest[:8]}-birds-{photo.crop}"


def test_without_a_photo_it_offers_some() -> None:
    assert "Paint a part of your photo over" in said(goes_to(app(), "whatif"))


def test_a_painted_region_has_its_share_and_the_answer_without_it(folder: Path) -> None:
    at = page(A)
    assert "Paint over what you want to ask about" in said(at)
    mask = np.zeros((CELLS, CELLS), bool)
    mask[10:40, 20:70] = True
    at = paint(at, packed(mask, CELLS))
    photo = ready(folder, A)
    a, b = two(photo)
    found = lafe.region(photo, mask, target=a, versus=b)
    after = found.blanked.probabilities(Switches.all())
    text = said(at)
    assert f"The painted {percent(found.coverage)} of the picture" in text
    assert f"**{number(found.inside, '+.2f')}** to the lead of {plain(BIRDS[a])}" in text
    assert f"**{plain(BIRDS[int(after.argmax())])}**, {percent(float(after.max()))}" in text


def test_one_click_paints_the_places_that_suffice(folder: Path) -> None:
    at = page(A)
    photo = ready(folder, A)
    a, b = two(photo)
    found = lafe.sufficient(photo, target=a, versus=b)
    grid = photo.features[-1].shape[-1]
    assert f"**{len(found.places)} of {grid**2} places** are enough" in said(at)
    next(x for x in at.button if x.label == "Paint the places that suffice").click().run()
    assert not at.exception
    cells = visit(at).choices[_key(at)]
    assert cells != _NOTHING
    assert unpacked(cells, CELLS).mean() == pytest.approx(len(found.places) / grid**2)


def test_what_suffices_is_asked_of_the_class_that_leads(folder: Path) -> None:
    at = page(A)
    a, b = two(ready(folder, A))
    first = next(x for x in at.selectbox if x.label == "Why")
    second = next(x for x in at.selectbox if x.label == "rather than")
    first.set_value(b)
    second.set_value(a)
    at.run()
    assert not at.exception
    assert f"The photo is not {plain(BIRDS[b])} rather than {plain(BIRDS[a])}" in said(at)


def test_another_photo_lends_its_places(folder: Path) -> None:
    assert "Add a second photo" in said(page(A))
    at = page(B, A)  # the last one is looked at
    photo, other = ready(folder, A), ready(folder, B)
    likeliest = int(other.logits(Switches.all()).argmax())
    a, b = two(photo)
    target = likeliest if likeliest != a else b
    found = lafe.swap(photo, other, target=target)
    assert f"**{len(found.edits)} of" in said(at)
    assert f"put {plain(BIRDS[target])} above {plain(BIRDS[a])}" in said(at)
    pasted = lafe.paste(photo, other, found)
    held = "it holds" if pasted.survives else "it does not hold"
    assert f"Pasted into the picture, {held}: the model says" in said(at)


def test_the_two_classes_are_chosen_once_for_both_pages_that_ask(folder: Path) -> None:
    at = upload(app(), ("a.png", A))
    a, b = two(ready(folder, A))
    third = next(i for i in range(len(BIRDS)) if i not in (a, b))
    for chosen in (b, third):
        for name in ("lookalikes", "whatif"):
            boxes = {box.label: box for box in goes_to(at, name).selectbox}
            assert not at.exception
            assert (boxes["Why"].value, boxes["rather than"].value) == (a, chosen)
        boxes["rather than"].set_value(third).run()
