"""What ``lafe evaluate`` writes, against forward passes."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import lafe
from lafe.branches import PRESETS
from lafe.checkpoints.store import load_card, save
from lafe.measure import evaluation as ev
from lafe.measure import report as reports

CLASSES = ["red", "green", "blue"]
COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A data set of coloured squares: 10 photos of each of three classes."""
    for name, colour in COLOURS.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for i in range(10):
            noise = Image.effect_noise((40, 30), 20 + i).convert("RGB")
            flat = Image.new("RGB", (40, 30), colour)
            Image.blend(noise, flat, 0.8).save(folder / f"{i}.png")
    return tmp_path / "data"


def test_a_report_holds_what_a_forward_pass_gives(squares: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    names = sorted(CLASSES)
    recipe = {"data": "folder", "seed": 0, "val_fraction": 0.25}
    model = lafe.LAFE("test_resnet", 3, 64).eval()
    folder = save(model, tmp_path / "tiny", names, resize=72, recipe=recipe)
    plain = lafe.LAFE("test_resnet", 3, 64, attention=False).eval()
    other = save(plain, tmp_path / "tiny-plain", names, resize=72, recipe=recipe)

    written = ev.evaluate(folder, squares, against=other)

    assert reports.read(folder, load_card(folder).sha256) == written
    assert written.attention is not None
    found = written.evaluation
    assert found is not None
    assert set(found.presets) == set(PRESETS)
    loaded = lafe.load(folder)
    test = lafe.data.load_benchmark("folder", squares, "test")
    x = torch.cat([loaded.preprocess(test.photo(i)) for i in range(len(test))])
    labels = torch.tensor(test.labels)
    with torch.no_grad():
        for name, on in PRESETS.items():
            right = (loaded(x, on).argmax(1) == labels).float().mean()
            assert found.presets[name].top1 == pytest.approx(float(right)), name
        base = lafe.load(other)(x).argmax(1) == labels
        full = loaded(x).argmax(1) == labels
    difference = (full.float() - base.float()).mean()
    assert found.against_plain is not None
    assert found.against_plain.difference.mean == pytest.approx(float(difference))
    card = load_card(folder)
    assert card.figures["test"]["photos"] == len(test)
    assert card.unknown["score"] == "class_means"  # the default: nothing foreign was shown
    train = lafe.data.load_benchmark("folder", squares, "train", val_fraction=0.25)
    with torch.no_grad():
        z = torch.cat([loaded.preprocess(train.photo(i)) for i in range(len(train))])
        with lafe.record(loaded) as r:
            loaded(z)
    pooled, of = r.F5.mean((2, 3)), torch.tensor(train.labels)
    means = torch.stack([pooled[of == k].mean(0) for k in range(3)])
    kept = lafe.load(folder).class_means
    assert kept is not None
    assert torch.allclose(kept, means, rtol=2e-3, atol=1e-4)  # float16

    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    ev.evaluate(folder, squares, out=tmp_path / "a" / "b")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    beside = {file.name for file in (tmp_path / "a" / "b").iterdir()}
    assert beside == before.keys()


def test_recipes_differ_in_what_is_not_the_attention() -> None:
    ours = {"name": "birds", "attention": True, "epochs": 9, "lr": 0.01, "freeze": ["stem"]}
    theirs = ours | {"name": "birds-plain", "attention": False}
    assert ev.recipe_differences(ours, theirs) == {}
    assert ev.recipe_differences(ours, theirs | {"epochs": 12, "seed": 1}) == {
        "epochs": (9, 12),
        "seed": (None, 1),
    }
