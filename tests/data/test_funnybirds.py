"""The reader of FunnyBirds on a folder that is made here, in the layout of its authors."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image

from lafe.data import DataError, load_benchmark
from lafe.data.funnybirds import birds_of_test, class_looks

SIZE = 24
PLACES = {"beak": ((255, 255, 0), 2), "eye": ((255, 255, 253), 6), "tail": ((0, 0, 255), 10)}
CLASSES = [{"beak": 0, "eye": 1, "tail": 0}, {"beak": 1, "eye": 1, "tail": 2}]


def draw(path, kept, things=(0, 1)):
    pixels = np.zeros((SIZE, SIZE, 4), np.uint8)
    for part in kept:
        colour, row = PLACES[part]
        pixels[row : row + 2, 4:8] = (*colour, 255)
    for i in things:
        pixels[18 + 2 * i : 20 + 2 * i, 2:6] = (204, 204, 204 + i, 255)
    pixels[..., 3] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "FunnyBirds"
    for split, labels in {"train": (0, 0, 1, 1), "test": (1, 0)}.items():
        for i, label in enumerate(labels):
            draw(home / split / str(label) / f"{i:06}.png", PLACES)
        entries = [{"class_idx": label, "bg_objects": "4,11,"} for label in labels]
        (home / f"dataset_{split}.json").write_text(json.dumps(entries))
    for i, label in enumerate((1, 0)):
        draw(home / "test_part_map" / str(label) / f"{i:06}.png", PLACES)
        folder = home / "test_interventions" / str(label) / f"{i:06}"
        for n in range(4):
            for kept in itertools.combinations(sorted(PLACES), n):
                draw(folder / f"body_{'_'.join(kept)}.png", kept)
        for thing in (0, 1):
            draw(folder / "background_interventions" / f"{thing}.png", PLACES, {0, 1} - {thing})
    classes = [{"class_idx": i, "parts": parts} for i, parts in enumerate(CLASSES)]
    (home / "classes.json").write_text(json.dumps(classes))
    return home


def test_splits_by_hand(home):
    train = load_benchmark("funnybirds", home.parent, "trainval")
    test = load_benchmark("funnybirds", home, "test")
    assert train.name == "FunnyBirds"
    assert (train.labels, test.labels) == ([0, 0, 1, 1], [1, 0])
    assert train.classes == ["Bird 00", "Bird 01"]
    assert test.paths[0] == home / "test" / "1" / "000000.png"
    assert class_looks(home) == CLASSES


def test_a_picture_without_parts_or_a_thing_is_the_one_that_the_authors_drew(home):
    _, (bird, _) = birds_of_test(home, 2)
    assert (bird.label, bird.parts, bird.things) == (
        1,
        ("beak", "eye", "tail"),
        ("bg_000", "bg_001"),
    )
    whole = np.array(bird.photo())
    masks = bird.masks()
    assert {name: int(mask.sum()) for name, mask in masks.items()} == dict.fromkeys(masks, 8)
    for without in ({"eye"}, {"beak", "tail"}, {"beak", "eye", "tail"}, {"bg_001"}):
        changed = (np.array(bird.photo(without)) != whole).any(2)
        np.testing.assert_array_equal(changed, np.logical_or.reduce([masks[w] for w in without]))
    with pytest.raises(DataError, match="no picture without bg_000, eye"):
        bird.photo({"eye", "bg_000"})


def test_what_is_missing_is_named(home):
    (home / "classes.json").write_text("{")
    with pytest.raises(DataError, match=r"classes\.json cannot be read as JSON"):
        birds_of_test(home, 1)
    (home / "classes.json").unlink()
    with pytest.raises(DataError, match=r"classes\.json is missing"):
        load_benchmark("funnybirds", home, "test")
