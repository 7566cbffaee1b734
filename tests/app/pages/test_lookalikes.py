"""The page "Look-alikes": its difference is lafe's, and its photos are the nearest ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny import tiny_model
from visiting import BIRDS, app, goes_to, picture, said, shown, upload

from lafe import evidence, load, open_photo, prepare
from lafe.checkpoints import store
from lafe.data import load_benchmark
from lafe.explain.neighbours import gallery, look, nearest, write_index
from lafe.explain.parts import CENTRE, NEAR, Locator, by_part, read, stacked, write

pytestmark = pytest.mark.usefixtures("only_these")

DATA = picture(3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of each bird."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for name in BIRDS:
        (root / name).mkdir()
        for i in range(6):
            pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    classes = load_benchmark("folder", photos, "trainval").classes
    store.save(tiny_model(0), folder / "birds", classes, data={"name": "folder"})
    return folder


def page(photo: bytes = DATA) -> AppTest:
    at = goes_to(upload(app(), ("owl.png", photo)), "lookalikes")
    assert not at.exception
    return at


def indexed(folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """The data set is at hand, and was looked through."""
    monkeypatch.setenv("LAFE_DATA", str(photos))
    monkeypatch.setenv("LAFE_INDEX", str(photos.parent / "index"))
    model = load(folder / "birds")
    data = load_benchmark("folder", photos, "trainval")
    pooled = look(model, data)
    write_index(photos.parent / "index", pooled, model, data)
    return pooled


def test_without_an_index_the_command_is_said(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAFE_DATA", str(photos))
    monkeypatch.setenv("LAFE_INDEX", str(tmp_path))
    assert "run `lafe index birds" in said(page())


def test_without_a_photo_it_says_what_to_do() -> None:
    at = goes_to(app(), "lookalikes")
    assert not at.exception
    assert "nearly taken for" in said(at)


def test_why_this_class_and_not_the_next(folder: Path) -> None:
    at = page()
    model = load(folder / "birds")
    x = model.preprocess(open_photo(DATA))
    first, second, third = model(x)[0].argsort(descending=True)[:3].tolist()
    chosen = {box.label: box.value for box in at.selectbox}
    assert (chosen["Why"], chosen["rather than"]) == (first, second)

    box = next(box for box in at.selectbox if box.label == "rather than")
    box.set_value(third).run()
    steps = evidence(prepare(model, x), target=first, versus=third).steps
    (chart,) = at.get("plotly_chart")
    bars = [float(shown(trace)[0]) for trace in json.loads(chart.proto.spec)["data"]]
    assert bars == pytest.approx([*steps.values(), sum(steps.values())], abs=1e-4)
    assert model.card.classes[third] in chart.proto.alt


def test_without_the_data_set_no_photo_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAFE_DATA", raising=False)
    at = page()
    assert "`lafe app --data`" in said(at)
    assert len(at.get("image")) == 1  # the photo itself


def test_a_photo_of_the_training_split_is_said_to_be_one(
    folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(folder, photos, monkeypatch)
    assert "training photos of" not in " ".join(info.value for info in page().info)
    model = load(folder / "birds")
    data = load_benchmark("folder", photos, "trainval")

    def likeliest(i: int) -> int:
        return int(model(model.preprocess(data.photo(i))).argmax())

    known = next(i for i in range(len(data)) if likeliest(i) == data.labels[i])
    at = page(data.paths[known].read_bytes())
    name = data.classes[data.labels[known]]
    assert [info.value for info in at.info] == [
        f"Your photo is among the training photos of {name}: the model was shown the answer, so "
        "what it says here is no test of it."
    ]


def test_the_nearest_photos_of_both_classes(
    folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled = indexed(folder, photos, monkeypatch)
    at = page()
    model = load(folder / "birds")
    x = model.preprocess(open_photo(DATA))
    data = load_benchmark("folder", photos, "trainval")
    expected = [
        f"{near.cosine:.2f}"
        for label in model(x)[0].argsort(descending=True)[:2].tolist()
        for near in nearest(prepare(model, x), gallery(pooled.float(), data, label))[:4]
    ]
    captions = [each.caption for image in at.get("image") for each in image.proto.imgs]
    assert captions[1:] == expected


def test_the_difference_is_named_by_part_where_a_locator_is(folder: Path) -> None:
    assert "By part" not in said(page())
    model = load(folder / "birds")
    photo = prepare(model, open_photo(DATA))
    channels = stacked(photo.features).shape[1]
    weight = torch.randn(3, channels, generator=torch.Generator().manual_seed(0))
    error = {NEAR: 0.75, CENTRE: 0.25}
    names = ("throat", "wing", "beside the bird")
    locator = Locator(names, weight, torch.zeros(3), model.card.sha256, error)
    file = write(folder / "birds", locator)
    try:
        first, second = model(photo.x)[0].topk(2).indices.tolist()
        found = by_part(photo, read(folder / "birds", model), target=first, versus=second)
        text = said(page()).replace("\\", "")
    finally:
        file.unlink()
    for part in names:
        assert f"{part} {100 * found.share(part):.0f}%".replace("-", "\N{MINUS SIGN}") in text
    assert "in 75.0%" in text
    assert "in 25.0%" in text
