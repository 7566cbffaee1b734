"""A folder of files for each photo: what one photo gives alone, however many there are."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_model

from lafe.batch import folders
from lafe.batch.jobs import Job
from lafe.batch.rows import folder_of
from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.render import bundle, sheet

CLASSES = ["Blue Jay", "Cardinal", "Ovenbird", "Grackle", "Crow"]
BOX = ["0.1", "0", "0.9", "1"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    return str(save(tiny_model(), tmp_path / "tiny", CLASSES))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two readable photos of one name, and one that is none."""
    for name in ("Crow", "Grackle"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        picture = Image.effect_noise((70, 90), 40 + len(name)).convert("RGB")
        picture.save(tmp_path / "photos" / name / "0.png")
    (tmp_path / "photos" / "Crow" / "bad.jpg").write_bytes(b"no photo")
    return tmp_path / "photos"


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "photos.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_photo_has_the_files_that_it_has_alone(
    checkpoint: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "each", tmp_path / "alone"
    args = ["--checkpoint", checkpoint, "--switches", "all", "no region", "--crop", *BOX]
    assert main(["explain", str(photos), *args, "--each", "--out", str(out)]) == 1
    assert "1 of 3 photos could not be read" in capsys.readouterr().err
    found = {row["photo"]: row for row in rows(out)}
    bad = found.pop(str(photos / "Crow" / "bad.jpg"))
    assert "not a JPEG" in bad["error"]
    assert not bad["folder"]
    assert {row["true"] for row in found.values()} == {"Crow", "Grackle"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        row["folder"] for row in found.values()
    }
    for name, row in found.items():
        own = out / row["folder"]
        assert {path.name for path in own.iterdir()} == set(bundle.FILES)
        one = alone / row["folder"]
        assert main(["explain", name, *args, "--out", str(one)]) == 0
        assert (own / "photo.png").read_bytes() == (one / "photo.png").read_bytes()
        maps, its = (np.load(folder / "maps.npz") for folder in (own, one))
        assert set(maps) == set(its)
        for key in its:
            assert maps[key] == pytest.approx(its[key], abs=1e-4), key
        panels = json.loads((own / "comparison.json").read_text())["panels"]
        assert [panel["letter"] for panel in panels] == ["A", "B"]
        first = panels[0]["classes"][0]
        assert (row["class"], float(row["probability"])) == (
            first["class"],
            pytest.approx(first["probability"], abs=1e-6),
        )
        assert row["b_class"] == panels[1]["classes"][0]["class"]


def test_a_table_of_photos_is_gone_on_with(
    checkpoint: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "each"
    drawn: list[object] = []
    monkeypatch.setattr(folders, "files", lambda found: drawn.append(found) or {"page": b""})
    args = ["explain", str(photos), "--checkpoint", checkpoint, "--each", "--out", str(out)]
    assert main(args) == 1
    assert len(drawn) == 2
    assert main(args) == 2
    assert "photos.csv is there already" in capsys.readouterr().err
    Image.new("RGB", (64, 64), "red").save(photos / "Crow" / "bad.jpg")
    drawn.clear()
    assert main([*args, "--resume", "--switches", "all"]) == 2
    assert "compared" in capsys.readouterr().err
    assert main([*args, "--resume", "--batch-size", "1", "--workers", "0"]) == 0
    assert len(drawn) == 1  # the others were kept
    assert [row["error"] for row in rows(out)] == ["", "", ""]
    assert main([*args[:4], "--resume", "--out", str(out)]) == 2
    assert "--each writes" in capsys.readouterr().err


def test_several_photos_are_one_figure_and_too_many_are_none(
    checkpoint: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figure"
    args = ["explain", str(photos), "--checkpoint", checkpoint, "--out", str(out)]
    assert main(args) == 1  # one cannot be read
    assert "bad.jpg" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == set(sheet.FILES)
    for i in range(sheet.MOST):
        Image.new("RGB", (64, 64)).save(photos / f"{i}.png")
    assert main([*args, "--force"]) == 2
    assert "--each" in capsys.readouterr().err


def test_folders_have_plain_names_of_their_own() -> None:
    names = ["a/0.jpg", "b/0.jpg", "s3://x/0.jpg", "ä b\n.png", "../..", "x" * 300 + ".png"]
    found = [folder_of(Job(name, name)) for name in names]
    assert len(set(found)) == len(names)
    assert all(name.isascii() and "/" not in name and len(name) < 60 for name in found)
