"""The nearest training photos, against forward passes on each."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lafe
from lafe.checkpoints.store import save
from lafe.data import load_benchmark
from lafe.explain.neighbours import (
    copies,
    gallery,
    index_file,
    look,
    nearest,
    read_index,
    write_index,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("near")
    rng = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (root / "data" / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "data" / name / f"{i}.png")
    torch.manual_seed(0)
    save(lafe.LAFE("test_resnet", 2, 32).eval(), root / "tiny", ["ant", "bee"])
    return root


def test_a_photo_is_nearest_to_itself_and_only_its_class_is_searched(root: Path) -> None:
    model = lafe.load(root / "tiny")
    photos = load_benchmark("folder", root / "data", "train")
    told: list[float] = []
    bees = gallery(look(model, photos, told.append).float(), photos, 1)
    members = [p for p, label in zip(photos.paths, photos.labels, strict=True) if label == 1]
    assert list(bees.paths) == members
    assert told[-1] == 1
    assert told == sorted(told)
    assert len(told) == len(photos)

    def pooled(path: Path) -> torch.Tensor:
        with torch.no_grad(), lafe.record(model) as r:
            model(model.preprocess(lafe.open_photo(path)))
        return r.F5.mean((2, 3))[0]

    mine = pooled(members[2])
    photo = lafe.prepare(model, model.preprocess(lafe.open_photo(members[2])))
    found = nearest(photo, bees, count=3)
    assert found[0].path == members[2]
    assert found[0].cosine == pytest.approx(1, abs=1e-3)  # an index is in half precision
    by_hand = sorted(
        (float(mine @ pooled(p) / mine.norm() / pooled(p).norm()) for p in members), reverse=True
    )
    assert [n.cosine for n in found] == pytest.approx(by_hand[:3], abs=1e-3)


def test_a_copy_is_known_in_another_size_and_saved_anew() -> None:
    coarse = np.random.default_rng(3).integers(0, 256, (2, 6, 8, 3), np.uint8)
    a, b = (Image.fromarray(each).resize((200, 150)) for each in coarse)
    out = io.BytesIO()
    a.resize((90, 68)).save(out, "JPEG", quality=40)
    with Image.open(out) as copy:
        assert copies(a, copy)
        assert copies(copy, a)
        assert not copies(b, copy)
    assert copies(Image.new("L", (9, 9), 100), Image.new("L", (9, 9), 103))
    assert not copies(Image.new("L", (9, 9), 100), Image.new("L", (9, 9), 104))


def test_a_class_without_photos_has_no_neighbours(root: Path) -> None:
    model = lafe.load(root / "tiny")
    photos = load_benchmark("folder", root / "data", "train").subset([0])
    empty = gallery(torch.zeros(len(photos), model.classifier.in_features), photos, 1)
    photo = lafe.prepare(model, torch.zeros(1, 3, 32, 32))
    assert nearest(photo, empty) == []


def test_an_index_is_of_these_photos_and_weights_or_it_is_none(root: Path, tmp_path: Path) -> None:
    model = lafe.load(root / "tiny")
    photos = load_benchmark("folder", root / "data", "train")
    assert read_index(tmp_path, model, photos) is None
    pooled = look(model, photos)
    file = write_index(tmp_path, pooled, model, photos)
    again = read_index(tmp_path, model, photos)
    assert again is not None
    torch.testing.assert_close(again, pooled.float())
    assert read_index(tmp_path, model, photos.subset(range(len(photos) - 1))) is None
    other = lafe.LAFE("test_resnet", 2, 32).eval()
    save(other, tmp_path / "tiny", ["ant", "bee"])
    strange = lafe.load(tmp_path / "tiny")
    file.rename(index_file(tmp_path, strange))
    assert read_index(tmp_path, strange, photos) is None
    file.write_bytes(b"no index")
    with pytest.raises(lafe.LafeError, match="lafe index"):
        read_index(tmp_path, model, photos)
