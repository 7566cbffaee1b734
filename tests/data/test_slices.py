"""Subsets of a split, on drawn photos whose boxes and parts are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lafe.data import PhotoDataset
from lafe.data.slices import slices


def photo(file: Path, colour: tuple[int, int, int]) -> Path:
    pixels = np.full((40, 50, 3), colour, dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return file


def test_each_photo_is_in_its_subsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lafe.data.slices.FEWEST", 1)
    colours = [(90, 90, 90), (90, 94, 98), (90, 94, 99), (200, 10, 10)]
    paths = [photo(tmp_path / f"{i}.png", c) for i, c in enumerate(colours)]
    # Of 2,000 px: 400 is a fifth, 399 is less.
    boxes = torch.tensor([[0, 0, 20, 20], [5, 5, 21, 19], [0, 0, 50, 40], [1, 1, 10, 10.0]])
    parts = torch.ones(4, 15, 3)
    parts[1, :5, 2] = 0
    parts[2, :4, 2] = 0
    found = slices(PhotoDataset("p", paths, [0, 0, 1, 1], ["a", "b"], boxes, parts))
    assert {k: v.tolist() for k, v in found.items()} == {
        "greyscale": [True, True, False, False],
        "box under 20% of the photo": [False, True, False, True],
        "5 or more of 15 parts hidden": [False, True, False, False],
    }


@pytest.mark.parametrize(("photos", "names"), [(9, []), (10, ["greyscale"])])
def test_a_subset_of_a_few_photos_says_nothing(
    tmp_path: Path, photos: int, names: list[str]
) -> None:
    paths = [photo(tmp_path / "grey.png", (90, 90, 90))] * photos
    assert list(slices(PhotoDataset("p", paths, [0] * photos, ["a"]))) == names


def test_empty_subsets_and_missing_annotations_are_left_out(tmp_path: Path) -> None:
    path = photo(tmp_path / "red.png", (200, 10, 10))
    assert slices(PhotoDataset("p", [path], [0], ["a"])) == {}
