"""Predictions are kept as text that anyone can read, and refused where they cannot be used."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lafe.data import PhotoDataset
from lafe.measure import predictions
from lafe.measure.predictions import PredictionsError
from lafe.measure.report import Provenance

SOURCE = Provenance("lafe evaluate small --data DIR", "2026-01-01")


@pytest.fixture
def photos(tmp_path: Path) -> PhotoDataset:
    """Four photos; one name has a comma and begins with the sign of a comment."""
    names = ["a/1.jpg", "b/1.jpg", "a/#2, new.jpg", "b/2.jpg"]
    paths = [tmp_path / "data" / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return PhotoDataset("small", paths, [0, 1, 0, 1], ["a", "b"], home=tmp_path / "data")


GIVEN = {
    "full": torch.tensor([0, 1, 1, 1]),
    "gates: other photo, rescaled": torch.tensor([[0, 1], [1, 0], [1, 0], [0, 0]]),
}


def test_anyone_can_read_them(photos: PhotoDataset, tmp_path: Path) -> None:
    file = predictions.write(tmp_path / "p" / "small.csv", photos, GIVEN, SOURCE, "abc")
    text = file.read_text()
    assert text.startswith("# lafe evaluate small --data DIR\n# 2026-01-01; weights sha256 abc\n")
    rows = list(csv.reader(text.splitlines()[2:]))
    other = "gates: other photo, rescaled"
    assert rows[0] == ["photo", "label", "full", f"{other} (1)", f"{other} (2)"]
    assert rows[3] == ["a/#2, new.jpg", "0", "1", "1", "0"]


def test_figures_come_back_from_the_file(photos: PhotoDataset, tmp_path: Path) -> None:
    file = predictions.write(tmp_path / "small.csv", photos, GIVEN, SOURCE, "abc")
    found = predictions.read(file)
    assert found.photos == ("a/1.jpg", "b/1.jpg", "a/#2, new.jpg", "b/2.jpg")
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.right().tolist() == [1, 1, 0, 1]
    other = "gates: other photo, rescaled"
    assert found.right(other).tolist() == [0.5, 0.5, 0.5, 0.0]
    assert found.changed(other) == 5 / 8
    assert found.cost(other).mean == pytest.approx(0.75 - 0.375)


def test_a_difference_is_paired_by_the_names_of_photos(
    photos: PhotoDataset, tmp_path: Path
) -> None:
    ours = predictions.read(predictions.write(tmp_path / "ours.csv", photos, GIVEN, SOURCE, "abc"))
    turned = photos.subset([3, 2, 1, 0])
    full = {"full": GIVEN["full"].flip(0)}
    theirs = predictions.read(predictions.write(tmp_path / "b.csv", turned, full, SOURCE, "d"))
    same = predictions.difference(ours, theirs)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    worse = replace(theirs, given={"full": np.array([[0], [1], [0], [0]])})
    assert predictions.difference(ours, worse).mean == pytest.approx(3 / 4 - 1 / 4)
    with pytest.raises(PredictionsError, match="other photos"):
        predictions.difference(ours, replace(theirs, photos=("x", *theirs.photos[1:])))
    with pytest.raises(PredictionsError, match="labelled otherwise"):
        predictions.difference(ours, replace(theirs, labels=1 - theirs.labels))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "photo,label,full\n",
        "photo,label\na,1\n",
        "photo,label,full\na,1,x\n",
        "photo,label,full\na,1,2\nb,1\n",
        "name,label,full\na,1,2\n",
        "photo,label,other\na,1,2\n",
    ],
)
def test_what_holds_no_predictions_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(PredictionsError, match=r"bad\.csv holds no predictions"):
        predictions.read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="holds no predictions"):
        predictions.read(tmp_path / "none.csv")
