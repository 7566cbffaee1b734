"""Switching over a split against forward passes, one setting at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import lafe
from lafe import Switches
from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import save
from lafe.data import load_benchmark
from lafe.measure.switching import switching


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[lafe.LAFE, lafe.data.PhotoDataset]:
    """A random model whose branches matter, and 9 photos of three classes."""
    root = tmp_path_factory.mktemp("switching")
    rng = np.random.default_rng(0)
    for name in "abc":
        (root / "data" / "train" / name).mkdir(parents=True)
        (root / "data" / "test" / name).mkdir(parents=True)
        for part, count in (("train", 1), ("test", 3)):
            for i in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / "data" / part / name / f"{i}.png")
    torch.manual_seed(4)
    model = lafe.LAFE("test_resnet", 3, 32).eval()
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    folder = save(model, root / "tiny", list("abc"), resize=32)
    return lafe.load(folder), load_benchmark("folder", root / "data", "test")


def test_against_forward_passes(split: tuple[lafe.LAFE, lafe.data.PhotoDataset]) -> None:
    model, photos = split
    found = switching(model, photos)
    x = torch.cat([model.preprocess(photos.photo(i)) for i in range(len(photos))])
    labels = torch.tensor(photos.labels)
    with torch.no_grad():
        full = model(x).argmax(1)
        off = {
            str(branch): model(x, Switches.all().without(branch)).argmax(1)
            for branch in EVERY_BRANCH
        }
    assert any((z != full).any() for z in off.values()), "no branch matters: nothing is tested"
    for name, predicted in off.items():
        assert found.branch_off[name].top1 == pytest.approx(
            float((predicted == labels).float().mean())
        )
        assert found.branch_off[name].changed == pytest.approx(
            float((predicted != full).float().mean())
        )
    for pair in found.confused:
        true, wrong = "abc".index(pair.true), "abc".index(pair.predicted)
        here = (labels == true) & (full == wrong)
        assert pair.photos == int(here.sum())
        most = max(int((z[here] == true).sum()) for z in off.values())
        assert pair.mended == most
        if most:
            assert int((off[pair.branch][here] == true).sum()) == most
        else:
            assert pair.branch is None
    assert sum(pair.photos for pair in found.confused) == int((full != labels).sum())


def test_shapley_values_add_up_class_by_class(
    split: tuple[lafe.LAFE, lafe.data.PhotoDataset],
) -> None:
    model, photos = split
    shapley = switching(model, photos).shapley
    with torch.no_grad():
        for label in range(3):
            x = torch.cat([
                model.preprocess(photos.photo(i)) for i in range(9) if photos.labels[i] == label
            ])  # fmt: skip
            p, q = (model(x, s).softmax(1)[:, label] for s in (Switches.all(), Switches.none()))
            assert np.sum(shapley.by_class[label]) == pytest.approx(float((p - q).mean()), abs=2e-5)
    assert np.mean(shapley.by_class, axis=0) == pytest.approx(np.array(shapley.mean), abs=2e-6)
