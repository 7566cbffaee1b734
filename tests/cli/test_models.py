"""Commands that train and measure: what they say before the work, and what they do not replace."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import lafe
from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.cli.models import PRECISIONS
from lafe.errors import LafeError
from lafe.measure import report
from lafe.train import loop

COLOURS = {"blue": (40, 60, 200), "green": (30, 160, 60)}
RECIPE = {
    "name": "squares",
    "data": "folder",
    "backbone": "test_resnet",
    "weights": None,
    "input_size": 64,
    "resize": 72,
    "epochs": 1,
    "lr": 0.01,
}


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Four photos a class to train on, two held out, two to test on, and what is none of these."""
    home = tmp_path / "data"
    for split, count in (("Train", 4), ("valid", 2), ("Test", 2)):
        for name, colour in COLOURS.items():
            (home / split / name).mkdir(parents=True)
            for i in range(count):
                noise = Image.effect_noise((40, 30), 20 + i).convert("RGB")
                picture = Image.blend(noise, Image.new("RGB", (40, 30), colour), 0.8)
                picture.save(home / split / name / f"{i}.png")
    (home / "Train" / "blue" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    return home


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = lafe.LAFE("test_resnet", 2, 64, attention=False).eval()
    recipe = {"data": "folder", "seed": 0, "val_fraction": 0.1}
    return save(model, tmp_path / "tiny", list(COLOURS), resize=72, recipe=recipe)


def evaluate(checkpoint: Path, data: Path, *more: str) -> int:
    return main(["evaluate", str(checkpoint), "--data", str(data), "--device", "cpu", *more])


def test_training_begins_with_classes_counts_and_what_is_left_out(
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def model(*_: object) -> None:
        raise LafeError("The training itself.")

    monkeypatch.setattr(loop, "TrainingModule", model)
    (tmp_path / "squares.yaml").write_text(yaml.safe_dump(RECIPE))
    command = ["train", str(tmp_path / "squares.yaml"), "--data", str(squares)]
    assert main([*command, "--out", str(tmp_path / "runs")]) == 2
    out, err = capsys.readouterr()
    first, blue, green, note = out.splitlines()
    assert first == "data: 2 classes; photos: 8 train, 4 val"
    assert blue.split() == ["blue", "4", "2"]
    assert green.split() == ["green", "4", "2"]
    assert "1 file passed over: 1 .heic" in note
    assert err == "lafe: The training itself.\n"
    (tmp_path / "file").write_text("kept")
    assert main([*command, "--out", str(tmp_path / "file")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "cannot be written to: " in err


@pytest.mark.parametrize("objective", ["paper", "attentive"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_trains_a_checkpoint_that_answers(
    precision: str, objective: str, squares: Path, tmp_path: Path
) -> None:
    (tmp_path / "squares.yaml").write_text(yaml.safe_dump(RECIPE | {"lr": 1e-4}))
    command = ["train", str(tmp_path / "squares.yaml"), "--data", str(squares), "--device", "cpu"]
    options = ["--precision", precision, "--out", str(tmp_path / "runs")]
    if objective != "paper":
        options += ["--variant", objective]
    assert main([*command, *options]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    logits = lafe.load(folder)(torch.zeros(1, 3, 64, 64))
    assert logits.isfinite().all()


def test_what_is_measured_keeps_to_the_split_of_the_run(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A photo that was trained on is no test photo, wherever it is moved or copied to.

    What training passed over ends no evaluation.
    """
    train, test = squares / "Train", squares / "Test"
    (train / "blue" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "squares.yaml").write_text(yaml.safe_dump(RECIPE))
    runs = ["--out", str(tmp_path / "runs"), "--device", "cpu", "--skip-bad"]
    assert main(["train", str(tmp_path / "squares.yaml"), "--data", str(squares), *runs]) == 0
    folder = tmp_path / "runs" / "squares"
    shutil.copy(train / "blue" / "0.png", test / "blue" / "moved.png")
    shutil.copy(squares / "valid" / "green" / "1.png", test / "green" / "again.png")
    capsys.readouterr()
    assert evaluate(folder, squares) == 0
    out = capsys.readouterr().out
    assert "data: 2 classes; photos: 4 test" in out
    assert "2 of 6 photos are left out: the model was trained on them; the first is " in out
    assert str(test / "blue" / "moved.png") in out
    shutil.rmtree(test)
    shutil.copytree(squares / "valid", test)
    assert evaluate(folder, squares, "--force") == 2
    assert "4 of 4 photos are left out" in capsys.readouterr().err


def test_figures_of_the_same_weights_are_not_replaced_unasked(
    squares: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(checkpoint, squares) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == "data: 2 classes; photos: 4 test"
    before = {file.name: file.read_bytes() for file in checkpoint.iterdir()}
    assert evaluate(checkpoint, squares) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "has the evaluation of these weights already: choose another folder by --out" in err
    assert {file.name: file.read_bytes() for file in checkpoint.iterdir()} == before
    assert evaluate(checkpoint, squares, "--out", str(tmp_path / "other")) == 0
    assert evaluate(checkpoint, squares, "--force") == 0


def test_figures_of_other_weights_are_replaced(squares: Path, checkpoint: Path) -> None:
    assert evaluate(checkpoint, squares) == 0
    values = json.loads((checkpoint / report.REPORT).read_text())
    (checkpoint / report.REPORT).write_text(json.dumps(values | {"sha256": "0" * 64}))
    assert evaluate(checkpoint, squares) == 0


def test_what_was_found_is_said_though_it_cannot_be_written(
    squares: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def update(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28), str(checkpoint / report.REPORT))

    monkeypatch.setattr(report, "update", update)
    assert evaluate(checkpoint, squares) == 2
    out, err = capsys.readouterr()
    assert "(4 test photos)" in out
    assert err.endswith(f"lafe: {checkpoint / report.REPORT}: No space left on device.\n")


def test_an_output_is_tried_before_the_work(
    squares: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    for command in (
        ["evaluate", str(checkpoint), "--data", "nowhere", "--out"],
        ["faithfulness", str(checkpoint), "--data", "nowhere", "--runs"],
        ["faithfulness", str(checkpoint), "--data", "nowhere", "--out"],
        ["export", "nowhere", "--out"],
        ["bench", "--out"],
    ):
        place = tmp_path / "file"
        assert main([*command, str(place)]) == 2
        said = capsys.readouterr().err
        assert "file is a file: name a folder" in said or "file is there already" in said
    assert main(["export", "nowhere", "--out", str(tmp_path)]) == 2
    assert "is a folder: name a file in it" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "option",
    [
        ["--seed", "-1"],
        ["--epochs", "0"],
        ["--devices", "0"],
        ["--precision", "8"],
        ["--precision", "bf16-true"],
    ],
)
def test_numbers_that_cannot_be_meant_are_refused_by_name(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "birds", "--data", ".", *option])
    assert left.value.code == 2
    assert f"argument {option[0]}: " in capsys.readouterr().err
