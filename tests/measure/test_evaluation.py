"""Figures against worked examples: by hand, by brute force, or with a known end."""

import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

import lafe
from lafe.branches import PRESETS
from lafe.checkpoints.store import REPORT, WEIGHTS, load_card, save
from lafe.measure import evaluation as ev

CLASSES = ["red", "green", "blue"]
COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


def test_top_k_counts_labels_among_the_highest() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    labels = torch.tensor([1, 2])
    assert ev.top_k(logits, labels, 1) == 0.5
    assert ev.top_k(logits, labels, 2) == 1.0
    assert ev.top_k(logits, labels, 5) == 1.0  # no more classes than there are


def test_calibration_error_by_hand() -> None:
    # Two photos at 0.8, one of them right; two at 0.6, both right.
    def row(p: float) -> list[float]:
        return [math.log(p), math.log(1 - p)]

    logits = torch.tensor([row(0.8), row(0.8), row(0.62), row(0.62)])
    labels = torch.tensor([0, 1, 0, 0])
    expected = 0.5 * abs(0.5 - 0.8) + 0.5 * abs(1.0 - 0.62)
    assert ev.calibration_error(logits, labels) == pytest.approx(expected, abs=1e-5)
    rows = ev.reliability(logits, labels)
    assert [(r["photos"], r["accuracy"]) for r in rows] == [(2, 1.0), (2, 0.5)]


def test_branch_figures_of_a_model_whose_terms_are_known() -> None:
    # W = 1, so pooled features are logits.  D adds 3 to class 0, C takes 1 from class 1.
    f5 = torch.tensor([[1.0, 2.0, 0.0]])
    D = torch.tensor([[3.0, 0.0, 0.0]])
    C = torch.tensor([[0.0, 1.0, 0.0]])
    logits = {
        "full": f5 + D - C,
        "no discriminative": f5 - C,
        "no confusable": f5 + D,
        "plain backbone": f5,
    }
    outputs = ev.Outputs(torch.tensor([0]), logits, {"f5": f5, "D": D, "C": C})
    found = ev.branch_figures(outputs, torch.eye(3), torch.zeros(3))
    # Class 0, centred: full 4 - 5/3 = 7/3, none 1 - 1 = 0.
    assert found["share"] == pytest.approx(1.0)
    parts = found["mean_centred_logit_of_predicted"]
    assert parts["backbone"] == pytest.approx(0.0)
    assert parts["discriminative"] == pytest.approx(2.0)
    assert parts["confusable"] == pytest.approx(1 / 3)
    assert found["prediction_changes_without"] == {
        "discriminative": 0.0,  # 1, 1, 0: a tie, the first wins
        "confusable": 0.0,
        "both": 1.0,
    }
    assert found["true_margin_added_by"]["discriminative"] == pytest.approx(3.0)
    assert found["true_margin_added_by"]["confusable"] == pytest.approx(1.0)
    assert found["cosine_with_f5"]["D"] == pytest.approx(1 / math.sqrt(5))


def test_a_linear_probe_separates_what_is_separable_and_nothing_else() -> None:
    torch.manual_seed(0)
    y = torch.arange(300) % 3
    noise = torch.randn(300, 8)
    signal = torch.cat([noise, torch.nn.functional.one_hot(y, 3) * 5.0], 1)
    half = slice(0, 150), slice(150, 300)
    assert ev.linear_probe((signal[half[0]], y[half[0]]), (signal[half[1]], y[half[1]])) > 0.98
    chance = ev.linear_probe((noise[half[0]], y[half[0]]), (noise[half[1]], y[half[1]]))
    assert chance < 0.5


def test_confused_pairs_are_counted_with_the_true_class_first() -> None:
    logits = torch.eye(3)[torch.tensor([1, 1, 2, 0])]
    labels = torch.tensor([0, 0, 1, 0])
    assert ev.confused(logits, labels, CLASSES) == [
        {"true": "red", "predicted": "green", "photos": 2},
        {"true": "green", "predicted": "blue", "photos": 1},
    ]


@pytest.mark.parametrize("same", [True, False])
def test_what_maps_are_worth_stays_with_its_weights(
    squares: Path, tmp_path: Path, same: bool
) -> None:
    recipe = {"data": "folder", "seed": 0, "val_fraction": 0.25}
    model = lafe.LAFE("test_resnet", 3, 64, attention=False).eval()
    folder = save(model, tmp_path / "tiny", sorted(CLASSES), resize=72, recipe=recipe)
    sha256 = load_card(folder).sha256 if same else "0" * 64
    known = {"sha256": sha256, "photos": -1, "faithfulness": {"photos": 300}}
    (folder / REPORT).write_text(json.dumps(known))
    ev.evaluate(folder, squares)
    report = json.loads((folder / REPORT).read_text())
    assert report["photos"] > 0
    assert report.get("faithfulness") == ({"photos": 300} if same else None)


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

    report = ev.evaluate(folder, squares, against=other)

    assert (folder / REPORT).is_file()
    assert set(report["presets"]) == set(PRESETS)
    loaded = lafe.load(folder)
    test = lafe.data.load_benchmark("folder", squares, "test")
    x = torch.cat([loaded.preprocess(test.photo(i)) for i in range(len(test))])
    labels = torch.tensor(test.labels)
    with torch.no_grad():
        for name, on in PRESETS.items():
            right = (loaded(x, on).argmax(1) == labels).float().mean()
            assert report["presets"][name]["top1"] == pytest.approx(float(right)), name
        base = lafe.load(other)(x).argmax(1) == labels
        full = loaded(x).argmax(1) == labels
    difference = (full.float() - base.float()).mean()
    assert report["against_plain"]["difference"]["mean"] == pytest.approx(float(difference))
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
    written = {file.name for file in (tmp_path / "a" / "b").iterdir()}
    assert written == before.keys() - {WEIGHTS}


def test_recipes_differ_in_what_is_not_the_attention() -> None:
    ours = {"name": "birds", "attention": True, "epochs": 9, "lr": 0.01, "freeze": ["stem"]}
    theirs = ours | {"name": "birds-plain", "attention": False}
    assert ev.recipe_differences(ours, theirs) == {}
    assert ev.recipe_differences(ours, theirs | {"epochs": 12, "seed": 1}) == {
        "epochs": [9, 12],
        "seed": [None, 1],
    }
