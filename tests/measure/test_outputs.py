"""Which photos a figure is of: the test split has one door, and classes are matched by name."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import tiny_model
from torch.utils._python_dispatch import TorchDispatchMode

import lafe
from lafe.branches import PRESETS
from lafe.checkpoints.store import load_card, save
from lafe.data import DataError, PhotoDataset
from lafe.measure import attention, calibration, metrics, outputs, unknown
from lafe.measure.evaluation import evaluate
from lafe.measure.outputs import (
    ClassesError,
    labelled_as,
    open_test_split,
    open_training_split,
    unseen,
)
from lafe.measure.provenance import Provenance
from lafe.train import probe
from lafe.train.run import RunError

SOURCE = Provenance("a test", "2026-01-01")
ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *(ROOT / "lafe").rglob("*.py"),
    *(ROOT / "app").rglob("*.py"),
    *(ROOT / "scripts").glob("*.py"),
]


def users(name: str) -> dict[tuple[str, str], ast.FunctionDef]:
    """The functions that use a name, by their module and their own name."""
    return {
        (
            file.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."),
            function.name,
        ): function
        for file in SOURCES
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(name in (getattr(n, "id", 0), getattr(n, "attr", 0)) for n in ast.walk(function))
    }


def test_only_what_measures_or_shows_test_photos_opens_the_test_split() -> None:
    assert sorted(users("open_test_split")) == [
        ("app.state.examples", "_test_photos"),  # one of each, to try the app with
        ("lafe.measure.crops", "_birds"),
        ("lafe.measure.crops", "_cars"),
        ("lafe.measure.evaluation", "_foreign"),  # of another data set
        ("lafe.measure.evaluation", "_run"),
        ("lafe.measure.faithfulness.benchmark", "measure"),
        ("lafe.measure.faithfulness.look_alikes", "rows"),
        ("lafe.measure.faithfulness.scores", "measure"),
        ("lafe.measure.locator", "measure"),
        ("lafe.measure.router", "_test"),
        ("lafe.measure.sweep", "_measure"),
        ("lafe.measure.sweep", "_require_same"),
    ]


def test_nobody_opens_the_test_split_past_that_function() -> None:
    """Who reads splits otherwise names the split, and names another one."""
    readers = users("load_benchmark")
    assert ("lafe.train.photos", "__init__") in readers
    for place, function in readers.items():
        named = {n.value for n in ast.walk(function) if isinstance(n, ast.Constant)}
        assert ("test" in named) == (place == ("lafe.measure.outputs", "open_test_split")), place
        assert named & {"test", "train", "val", "trainval"} or place == (
            "lafe.measure.outputs",
            "open_training_split",  # its callers name it
        ), place


def test_the_test_split_is_no_split_to_train_on(tmp_path: Path) -> None:
    data = folder_of(tmp_path / "data", ["ant", "bee"])
    for split in ("test", "trainval"):
        with pytest.raises(ValueError, match="no split of the training photos"):
            open_training_split({}, data, split)


def folder_of(root: Path, classes: list[str]) -> Path:
    """Grey photos, another level a class: two to train on, one held out and two to test on."""
    for i, name in enumerate(classes):
        for j, split in enumerate(("train", "train", "val", "test", "test")):
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            level = 40 + 20 * "abcdefgh".index(name[0]) + j
            Image.new("L", (32, 32), level).save(folder / f"{i}{j}.png")
    return root


def photos(names: list[str], labels: list[int]) -> PhotoDataset:
    file = Path(__file__)
    return PhotoDataset("mine", [file] * len(labels), labels, names)


def card(tmp_path: Path, classes: list[str]) -> lafe.checkpoints.card.Card:
    model = lafe.LAFE("test_resnet", len(classes), 32).eval()
    return load_card(save(model, tmp_path / "tiny", classes))


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    known = card(tmp_path, ["ant", "bee", "cow", "dog"])
    same = photos(["ant", "bee", "cow", "dog"], [0, 3, 1])
    assert labelled_as(known, same) is same
    turned = labelled_as(known, photos(["dog", "cow", "bee", "ant"], [0, 3, 1]))
    assert (turned.labels, turned.classes) == ([3, 0, 2], known.classes)
    fewer = labelled_as(known, photos(["cow", "ant"], [0, 0, 1]))
    assert (fewer.labels, fewer.classes) == ([2, 2, 0], known.classes)
    otherwise = labelled_as(known, photos(["Dog", "c_o_w"], [0, 1]))
    assert (otherwise.labels, otherwise.classes) == ([3, 2], known.classes)


@pytest.mark.parametrize(
    "names", [["ant", "bee", "cow", "elk"], ["ant", "bee", "cow", "dog", "elk"], ["elk", "fox"]]
)
def test_other_classes_are_refused_and_both_lists_are_named(
    names: list[str], tmp_path: Path
) -> None:
    known = card(tmp_path, ["ant", "bee", "cow", "dog"])
    with pytest.raises(ClassesError) as caught:
        labelled_as(known, photos(names, [0]))
    said = str(caught.value)
    assert "4 classes ('ant', 'bee', 'cow', 'dog')" in said
    assert f"{len(names)} classes ({', '.join(map(repr, names))})" in said
    assert "not 'elk'" in said


def test_a_long_list_is_named_by_its_ends(tmp_path: Path) -> None:
    known = card(tmp_path, [f"c{i}" for i in range(40)])
    with pytest.raises(ClassesError, match=r"40 classes \('c0', .*'c7', \.\.\., 'c32', .*'c39'\)"):
        labelled_as(known, photos(["strange"], [0]))


def evaluated(
    tmp_path: Path, data: Path, classes: list[str], order: list[int], name: str
) -> lafe.measure.report.Evaluation:
    """One and the same model of six classes, its outputs in another order."""
    torch.manual_seed(3)
    model = lafe.LAFE("test_resnet", 6, 32).eval()
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight[order])
        model.classifier.bias.copy_(torch.randn(6)[order] / 10)
    save(model, tmp_path / name, [classes[i] for i in order], recipe={"data": "folder"})
    found = evaluate(tmp_path / name, data).evaluation
    assert found is not None
    return found


def test_a_folder_in_another_order_gives_the_same_figures(tmp_path: Path) -> None:
    names = ["ant", "bee", "cow", "dog", "elk", "fox"]
    data = folder_of(tmp_path / "data", names)
    found = evaluated(tmp_path, data, names, list(range(6)), "one")
    turned = evaluated(tmp_path, data, names, [4, 2, 0, 5, 1, 3], "two")
    assert 0 < found.presets["full"].top1 < 1
    for preset, figures in found.presets.items():
        assert turned.presets[preset].top1 == figures.top1
        assert turned.presets[preset].ece == pytest.approx(figures.ece, abs=1e-6)
    assert set(turned.confused) == set(found.confused)
    assert turned.unknown["energy"].threshold == pytest.approx(
        found.unknown["energy"].threshold, abs=1e-5
    )


def test_a_folder_of_fewer_classes_is_measured_and_the_card_keeps_its_score(
    tmp_path: Path,
) -> None:
    names = ["ant", "bee", "cow", "dog", "elk", "fox"]
    data = folder_of(tmp_path / "data", names)
    evaluated(tmp_path, data, names, list(range(6)), "tiny")
    before = load_card(tmp_path / "tiny")
    few = folder_of(tmp_path / "few", ["cow", "dog", "fox"])
    found = evaluate(tmp_path / "tiny", few).evaluation
    assert found is not None
    test = open_test_split("folder", few)
    model = lafe.load(tmp_path / "tiny")
    with torch.no_grad():
        named = [
            names[int(model(model.preprocess(test.photo(i))).argmax())] for i in range(len(test))
        ]
    truth = [test.classes[label] for label in test.labels]
    right = sum(n == t for n, t in zip(named, truth, strict=True))
    assert found.presets["full"].top1 == pytest.approx(right / len(test))
    assert (found.photos, found.classes) == (len(test), 6)
    assert found.unknown == {}  # three classes have no mean
    after = load_card(tmp_path / "tiny")
    assert after.unknown == before.unknown
    assert after.figures["test"]["photos"] == len(test)


def test_photos_that_a_run_has_seen_are_no_test_photos_of_a_folder(tmp_path: Path) -> None:
    test, run, recipe = (
        open_test_split("folder", folder_of(tmp_path / "data", ["ant", "bee"])),
        tmp_path / "run.json",
        {"data": "folder"},
    )
    assert unseen(test, tmp_path, recipe) is test  # a checkpoint without its run
    digest = hashlib.sha256(test.paths[1].read_bytes()).hexdigest()[:16]
    run.write_text(json.dumps({"seen": [digest, "0" * 16]}))
    left = unseen(test, tmp_path, recipe)
    assert left.paths == [test.paths[0], *test.paths[2:]]
    assert left.labels == [test.labels[0], *test.labels[2:]]
    said = f"1 of {len(test)} photos are left out: the model was trained on them; the first is "
    assert left.notes == (*test.notes, f"{said}{test.paths[1]}.")
    assert unseen(test, tmp_path, {"data": "cub"}) is test  # whose split is fixed
    run.write_text(json.dumps({"seen": test.digests()}))
    with pytest.raises(DataError, match=r"are left out.*Add others"):
        unseen(test, tmp_path, recipe)
    for text in ("{", "[]", '{"seen": 3}'):
        run.write_text(text)
        with pytest.raises(RunError, match=r"run\.json cannot be used"):
            unseen(test, tmp_path, recipe)


def test_evaluate_refuses_a_folder_of_other_classes_and_leaves_what_is_there(
    tmp_path: Path,
) -> None:
    data = folder_of(tmp_path / "data", ["ant", "bee"])
    model = lafe.LAFE("test_resnet", 2, 32).eval()
    folder = save(model, tmp_path / "tiny", ["ant", "wasp"], recipe={"data": "folder"})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ClassesError, match="not 'bee'"):
        evaluate(folder, data)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_what_is_no_plain_backbone_of_the_same_classes_is_refused(tmp_path: Path) -> None:
    data = folder_of(tmp_path / "data", ["ant", "bee"])

    def model(name: str, classes: list[str], attention: bool) -> Path:
        made = lafe.LAFE("test_resnet", len(classes), 32, attention=attention).eval()
        return save(made, tmp_path / name, classes, recipe={"data": "folder"})

    full = model("full", ["ant", "bee"], True)
    with pytest.raises(ClassesError, match=r"has attention branches: .*--variant plain"):
        evaluate(full, data, against=model("other", ["ant", "bee"], True))
    with pytest.raises(ClassesError, match=r"'ant', 'cow'.*'ant', 'bee'"):
        evaluate(full, data, against=model("cows", ["ant", "cow"], False))
    found = evaluate(full, data, against=model("turned", ["bee", "ant"], False)).evaluation
    assert found is not None
    turned = found.against_plain
    assert turned is not None
    plain, test = lafe.load(tmp_path / "turned"), open_test_split("folder", data)
    with torch.no_grad():
        x = torch.cat([plain.preprocess(test.photo(i)) for i in range(len(test))])
        right = [["bee", "ant"][k] for k in plain(x).argmax(1)]
    truth = [test.classes[label] for label in test.labels]
    share = sum(a == b for a, b in zip(right, truth, strict=True)) / len(test)
    assert turned.plain_top1 == pytest.approx(share)


def test_training_photos_are_those_of_the_recipe(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.new("L", (32, 32), i).save(tmp_path / name / f"{i}.png")
    test = set(open_test_split("folder", tmp_path).paths)
    held = {}
    for fraction in (0.2, 0.4):
        recipe = {"val_fraction": fraction}
        held[fraction] = set(open_training_split(recipe, tmp_path, "val").paths)
        trained = set(open_training_split(recipe, tmp_path, "train").paths)
        assert not held[fraction] & trained
        assert not test & (held[fraction] | trained)
    assert len(held[0.2]) < len(held[0.4])
    seeds = [{"val_fraction": 0.4, "seed": seed} for seed in range(4)]
    assert len({tuple(open_training_split(r, tmp_path, "val").paths) for r in seeds}) > 1


class Largest(TorchDispatchMode):
    """Notes how many elements the largest tensor has that is of photos times classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes, self.most = classes, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        found = function(*args, **kwargs or {})
        for each in found if isinstance(found, (tuple, list)) else (found,):
            if isinstance(each, torch.Tensor) and self.classes in each.shape:
                self.most = max(self.most, each.numel())
        return found


def test_nothing_of_photos_times_classes_is_ever_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in elements, of whatever is computed: as much for 130 photos as for 100."""
    classes = [f"c{i}" for i in range(211)]
    model = lafe.load(save(tiny_model(classes=211), tmp_path / "many", classes))
    (tmp_path / "p").mkdir()
    for i in range(130):
        picture = Image.effect_noise((40, 40), 20 + i).convert("RGB")
        picture.save(tmp_path / "p" / f"{i:03}.png")
    paths = sorted((tmp_path / "p").iterdir())
    for module in (outputs, metrics, unknown):
        monkeypatch.setattr(module, "ROWS", 4)
    for module in (unknown, probe):
        monkeypatch.setattr(module, "NUMBERS", 4 * 211)
    batched = outputs.batches
    for module in (outputs, attention):
        monkeypatch.setattr(module, "batches", lambda *photos: batched(*photos, batch_size=4))
    monkeypatch.setattr(attention, "DRAWS", 1)
    weight, bias = (p.detach() for p in (model.classifier.weight, model.classifier.bias))

    def measured(count: int) -> int:
        photos = PhotoDataset("p", paths[:count], [(7 * i) % 211 for i in range(count)], classes)
        with Largest(211) as counted:
            found = outputs.run(model, photos, PRESETS, keep_gates=True)
            attention.attention(model, photos, found, found.mean_gates, SOURCE)
            metrics.branch_figures(found, found, weight, bias)
            known = unknown.Knowledge(weight, bias, torch.rand(weight.shape))
            unknown.compare(found, found, {}, known)
        return counted.most

    few, many = measured(100), measured(130)
    assert few == many
    assert many == weight.numel() < 100 * 211


def test_temperatures_are_fitted_to_photos_of_the_whole_list_and_to_no_more_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(10)]
    for path in paths:
        path.touch()
    photos = PhotoDataset("p", paths, [i // 2 for i in range(10)], list("abcde"))
    assert calibration.enough(photos) is photos
    monkeypatch.setattr(calibration, "FITTED", 20)
    assert calibration.enough(photos).paths == [paths[i] for i in (0, 3, 6, 9)]
