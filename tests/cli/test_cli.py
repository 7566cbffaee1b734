"""The commands, as a user types them."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

import lafe
from lafe.checkpoints.store import save
from lafe.cli.main import main


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    torch.manual_seed(0)
    model = lafe.LAFE("test_resnet", 3, 64).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
    torch.nn.init.normal_(model.classifier.weight)
    return str(save(model, tmp_path / "tiny", ["Blue Jay", "Cardinal", "Ovenbird"]))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i, name in enumerate(("001.Blue_Jay", "002.Cardinal")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for j in range(2):
            Image.effect_noise((90, 70), 30 + 50 * i + j).convert("RGB").save(folder / f"{j}.jpg")
    return tmp_path / "photos"


def _rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_predict_writes_what_the_model_gives(checkpoint: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    setting = "c_dis345.r_dis5"
    args = ["--checkpoint", checkpoint, "--switches", setting, "--json", str(out)]
    assert main(["predict", str(photos), *args]) == 0
    rows = _rows(out)
    assert [row["true"] for row in rows] == ["Blue Jay"] * 2 + ["Cardinal"] * 2
    model = lafe.load(checkpoint)
    for row in rows:
        x = model.preprocess(lafe.open_photo(row["photo"]))
        p = model(x, lafe.Switches.parse(setting)).softmax(1)[0].detach()
        assert row["class"] == model.card.classes[int(p.argmax())]
        assert row["probability"] == pytest.approx(float(p.max()), abs=1e-5)


def test_predict_compares_two_settings(
    checkpoint: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["predict", str(photos), "--checkpoint", checkpoint, "--versus", "all"]
    assert main(args) == 0
    assert "A and B agree on 4 of 4 photos (100.0 %)." in capsys.readouterr().out


def test_a_bad_photo_is_reported_and_the_rest_is_kept(
    checkpoint: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "001.Blue_Jay" / "0.jpg").write_bytes(b"no photo")
    out = tmp_path / "out.csv"
    args = ["predict", str(photos), "--checkpoint", checkpoint, "--csv", str(out)]
    assert main(args) == 1
    with out.open(newline="") as file:
        errors = [row["error"] for row in csv.DictReader(file)]
    assert [bool(error) for error in errors] == [True, False, False, False]
    assert "not a JPEG" in errors[0]
    said = capsys.readouterr().err
    assert "0.jpg" in said
    assert "1 of 4 photos" in said


def test_a_run_goes_on_where_another_stopped(
    checkpoint: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = photos / "001.Blue_Jay" / "0.jpg"
    whole = bad.read_bytes()
    bad.write_bytes(b"no photo")
    out, maps = tmp_path / "out.parquet", tmp_path / "maps"
    args = ["--checkpoint", checkpoint, "--parquet", str(out), "--maps", str(maps), "--top", "2"]
    assert main(["predict", str(photos), *args]) == 1
    assert main(["predict", str(photos), *args]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["predict", str(photos), *args, "--resume"]) == 1
    assert "3 photos were done before" in capsys.readouterr().err
    bad.write_bytes(whole)
    assert main(["predict", str(photos), *args, "--resume", "--batch-size", "1"]) == 0
    assert main(["predict", str(photos), *args, "--resume", "--switches", "none"]) == 2
    assert "its switches is 'all'" in capsys.readouterr().err
    rows = parquet.read_table(out).to_pylist()
    assert sorted(row["photo"] for row in rows) == sorted(map(str, photos.glob("*/*.jpg")))
    assert [row["error"] for row in rows] == [None] * 4
    shards = [np.load(file) for file in sorted(maps.iterdir())]
    named = np.concatenate([shard["photo"] for shard in shards]).tolist()
    assert named == [row["photo"] for row in rows]
    logits = np.concatenate(
        [
            sum(s[term].sum((1, 2)) for term in ("backbone", "dis", "con")) + s["bias"]
            for s in shards
        ]
    )
    model = lafe.load(checkpoint)
    for row, logit in zip(rows, logits.tolist(), strict=True):
        found = lafe.prepare(model, lafe.open_photo(row["photo"])).logits(lafe.Switches.all())
        assert logit == pytest.approx(float(found.max()), abs=1e-4)


def test_what_a_run_goes_on_with_is_named(
    checkpoint: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["predict", str(photos), "--checkpoint", checkpoint, "--resume"]
    assert main(args) == 2
    assert "name it by --csv, --json or --parquet" in capsys.readouterr().err
    assert main([*args, "--csv", str(photos / "x.csv"), "--force"]) == 2
    assert "choose one" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_rows_on_stdout_are_utf_8_too(
    kind: str, checkpoint: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "001.Blue_Jay" / "0.jpg").rename(photos / "翠鳥.jpg")
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["predict", str(photos), "--checkpoint", checkpoint, f"--{kind}"]) == 0
    said = terminal.buffer.getvalue().decode("utf-8")
    assert "翠鳥" in said
    assert len(said.splitlines()) == 4 + (kind == "csv")


def test_odd_names_end_no_batch(
    checkpoint: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (photos / "001.Blue_Jay" / "0.jpg").read_bytes()
    for name in (b"caf\xe9.jpg", "翠鳥.jpg".encode(), b"a\nb.jpg", b"no ending", b"-x.jpg"):
        (photos / os.fsdecode(name)).write_bytes(whole)
    for name in (b"\xe9.jpg", b"x\ny.jpg"):
        (photos / os.fsdecode(name)).write_bytes(b"no photo")
    out = tmp_path / "out.csv"
    args = ["predict", str(photos), "--checkpoint", checkpoint]
    assert main([*args, "--csv", str(out)]) == 1
    with out.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 11
    said = capsys.readouterr().err
    for name in ("\\udce9.jpg", "x\\ny.jpg"):
        assert f"{name}: This is not a JPEG" in said
    assert main(args) == 1
    assert len(capsys.readouterr().out.splitlines()) == 11  # a line each, and two on all


def test_an_output_is_tried_before_anything_else(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("kept")
    args = ["predict", str(photos), "--checkpoint", "nowhere"]
    assert main([*args, "--csv", str(out)]) == 2
    assert "out.csv is there already" in capsys.readouterr().err
    for forced in (["--csv", str(out), "--force"], ["--json", str(out), "--force"]):
        assert main([*args, *forced]) == 2
        assert "no checkpoint 'nowhere'" in capsys.readouterr().err
    assert main([*args, "--csv", str(tmp_path)]) == 2
    assert "is a folder: name a file" in capsys.readouterr().err
    assert out.read_text() == "kept"


def test_a_photo_is_never_taken_for_an_output(
    checkpoint: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sorted((photos / "001.Blue_Jay").iterdir())
    before = second.read_bytes()
    assert main(["predict", str(first), "--checkpoint", checkpoint, "--csv", str(second)]) == 2
    assert second.read_bytes() == before


def test_ablate_gives_shapley_values_that_add_up(
    checkpoint: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    args = ["ablate", str(photos), "--checkpoint", checkpoint, "--json", str(out)]
    assert main([*args, "--output", "logit"]) == 0
    for row in _rows(out):
        assert len(row["shapley"]) == 12
        assert sum(row["shapley"].values()) == pytest.approx(row["full"] - row["none"], abs=1e-4)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["predict", "nowhere.jpg", "--checkpoint", "{c}"], "nowhere.jpg"),
        (["predict", "{c}", "--checkpoint", "{c}"], "No photo"),
        (["predict", "x", "--checkpoint", "nowhere"], "no checkpoint 'nowhere'"),
        (["train", "nothing", "--data", "."], "no recipe 'nothing'"),
    ],
)
def test_bad_input_is_one_sentence(
    checkpoint: str, args: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([a.format(c=checkpoint) for a in args]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lafe: ")
    assert reason in said
    assert "Traceback" not in said


def test_an_unreadable_setting_is_refused_by_name(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "x", "--checkpoint", checkpoint, "--switches", "r_foo3"])
    assert "r_foo3" in capsys.readouterr().err
