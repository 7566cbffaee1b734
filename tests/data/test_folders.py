"""People's own folders: which layouts are read, how photos are held out, what is refused."""

import hashlib
import os
import random
import unicodedata
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from lafe.data import DataError, PhotoDataset, load_benchmark
from lafe.data.dataset import summary
from lafe.data.folders import share
from lafe.data.names import key

PHOTO = b"\xff\xd8\xff\xe0 nothing decodes these"
SPLITS = ("train", "val", "test")


def lay(folder: Path, classes: dict[str, int], prefix: str = "") -> Path:
    for name, count in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (folder / name / f"{prefix}{i:03}.jpg").write_bytes(PHOTO)
    return folder


def read(folder: Path, split: str = "train", **options: float) -> PhotoDataset:
    return load_benchmark("folder", folder, split, **options)  # type: ignore[arg-type]


def counts(photos: PhotoDataset) -> dict[str, int]:
    return {photos.classes[label]: n for label, n in sorted(Counter(photos.labels).items())}


def files(photos: PhotoDataset) -> set[str]:
    return {
        f"{photos.classes[k]}/{p.name}" for p, k in zip(photos.paths, photos.labels, strict=True)
    }


def refusal(folder: Path, split: str = "train", **options: float) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, split, **options)
    return str(caught.value)


# Layouts


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TEST"),
        ("training", "validation", "testing"),
        ("Training", "valid", "Testing"),
    ],
)
def test_splits_by_their_usual_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    for part, number in ((train, 4), (val, 3), (test, 2)):
        lay(tmp_path / part, {"red_fox": number, "wolf": number + 1})
    assert counts(read(tmp_path, "train")) == {"red fox": 4, "wolf": 5}
    assert counts(read(tmp_path, "val")) == {"red fox": 3, "wolf": 4}
    assert counts(read(tmp_path, "test")) == {"red fox": 2, "wolf": 3}
    assert counts(read(tmp_path, "trainval")) == {"red fox": 7, "wolf": 9}


def test_without_a_val_it_is_held_out_of_train(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 60, "b": 60, ".cache": 2})
    lay(tmp_path / "test", {"b": 3})
    train, val, test = (read(tmp_path, split) for split in SPLITS)
    assert files(train) | files(val) == files(read(tmp_path, "trainval"))
    assert not files(train) & files(val)
    assert len(train) + len(val) == 120
    assert 0 < len(val) < 40
    assert test.classes == ["a", "b"]
    assert counts(test) == {"b": 3}


def test_class_folders_only(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 200, "b": 100})
    parts = [read(tmp_path, split) for split in SPLITS]
    assert sum(map(len, parts)) == len(set.union(*map(files, parts))) == 300
    # A fifth, and a tenth of the rest, within four standard deviations.
    assert abs(len(parts[2]) - 60) < 28
    assert abs(len(parts[1]) - 24) < 19
    assert files(read(tmp_path, "trainval")) == files(parts[0]) | files(parts[1])


@pytest.mark.parametrize("given", ["", "outer", "outer/inner"])
@pytest.mark.parametrize("parts", [("",), ("Train", "Test")])
def test_one_folder_deeper(tmp_path: Path, given: str, parts: tuple[str, ...]) -> None:
    home = tmp_path / "outer" / "inner"
    for part in parts:
        lay(home / part, {"a": 50, "b": 50})
    lay(tmp_path / "outer" / "__MACOSX" / "inner", {"a": 9})
    (tmp_path / "outer" / "docs").mkdir()
    (tmp_path / "outer" / "docs" / "read me.txt").write_text("text")
    if given == "":  # two folders deeper: the one to give is named
        assert "outer" in refusal(tmp_path / given)
        return
    photos = read(tmp_path / given)
    assert photos.classes == ["a", "b"]
    assert photos.home == home
    assert {p.parents[1] for p in photos.paths} == {home / parts[0]}


def test_splits_that_are_one_folder_deeper_in_themselves(tmp_path: Path) -> None:
    for part in ("train", "test"):
        lay(tmp_path / part / part, {"a": 30, "b": 30})
    assert len(read(tmp_path, "test")) == 60
    assert read(tmp_path).classes == ["a", "b"]


def test_photos_of_a_class_in_one_folder_of_its_own(tmp_path: Path) -> None:
    """As Tiny ImageNet has them."""
    for name in ("n01", "n02"):
        lay(tmp_path / "train" / name, {"images": 20})
        (tmp_path / "train" / name / "boxes.txt").write_text("text")
    assert counts(read(tmp_path, "trainval")) == {"n01": 20, "n02": 20}


def test_photos_beside_and_below_those_of_a_class_are_its_photos(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 20, "a/more": 5, "b": 20})
    assert counts(read(tmp_path, "trainval")) == {"a": 25, "b": 20}


def test_a_class_may_be_called_like_a_split(tmp_path: Path) -> None:
    lay(tmp_path, {"bus": 30, "car": 30, "train": 30})
    assert read(tmp_path).classes == ["bus", "car", "train"]


def test_classes_of_another_split_are_matched_by_name(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"Caf\N{LATIN SMALL LETTER E WITH ACUTE}": 20, "red_fox": 20})
    lay(tmp_path / "test", {"Cafe\N{COMBINING ACUTE ACCENT}": 1, "Red Fox": 2})
    assert counts(read(tmp_path, "test")) == {"Café": 1, "red fox": 2}


def test_photos_of_any_name_are_found(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 20, "b": 20})
    for name in ("x.JPG", "x.jfif", "x.jpe", "x"):
        (tmp_path / "train" / "a" / name).write_bytes(PHOTO)
    (tmp_path / "train" / "a" / "._x.JPG").write_bytes(PHOTO)
    (tmp_path / "train" / "a" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    photos = read(tmp_path, "trainval")
    assert counts(photos) == {"a": 24, "b": 20}
    assert "1 file passed over: 1 .heic.  HEIC photos cannot be read" in photos.notes[0]


# Notes and tables


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 20, "b": 20})
    lay(tmp_path / "test", {"a": 2})
    lay(tmp_path / "extra", {"a": 2})
    (tmp_path / "train" / "cover.jpg").write_bytes(PHOTO)
    photos = read(tmp_path, "train")
    assert photos.notes[0].startswith("1 photos in no class folder are left out; the first is ")
    assert photos.notes[1] == "Folders beside the splits are left out: extra."
    assert photos.notes[2].startswith("Without a test photo")
    assert ": b.  Add photos" in photos.notes[2]


def test_a_class_without_a_test_photo_is_named(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 100, "b": 100})
    (tmp_path / "c").mkdir()
    for i in range(100):
        if share("test", "c", f"{i}.jpg") >= 0.2:
            (tmp_path / "c" / f"{i}.jpg").write_bytes(PHOTO)
    for split in ("train", "test"):
        [note] = read(tmp_path, split).notes
        assert note == (
            "Without a test photo, so that nothing will be known of them: c.  Add photos, or make "
            "train/ and test/ folders of your own."
        )


def test_a_table_of_classes_and_counts(tmp_path: Path) -> None:
    for part, number in (("train", 4), ("val", 3), ("test", 2)):
        lay(tmp_path / part, {"red_fox": number, "wolf": 10 * number})
    splits = {split: read(tmp_path, split) for split in SPLITS}
    assert summary(splits).splitlines() == [
        f"{tmp_path.name}: 2 classes; photos: 44 train, 33 val, 22 test",
        "  red fox       4       3       2",
        "  wolf         40      30      20",
    ]
    assert summary(splits, most=1).splitlines()[1:] == [
        "  red fox       4       3       2",
        "  ... and 1 classes with more photos",
    ]


# Which split a photo is in


def test_shares_by_hand() -> None:
    """The documented hash, written out."""
    digest = hashlib.sha256(b"test\x00goldfinch\x00IMG 1.jpg").hexdigest()
    assert share("test", "Gold_finch", "IMG 1.jpg") == int(digest[:16], 16) / 2**64
    assert share("val 0", "a", "b") != share("val 1", "a", "b")


@pytest.mark.parametrize("purpose", ["test", "val 0", "val 7"])
def test_shares_are_spread_evenly(purpose: str) -> None:
    """Ten bins of 2,000: chi squared with 9 degrees of freedom is below 27.9 in 999 of 1,000."""
    bins = Counter(int(10 * share(purpose, "jay", f"IMG_{i}.jpg")) for i in range(2000))
    assert sum((bins[k] - 200) ** 2 / 200 for k in range(10)) < 27.9


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1)


@given(NAMES, NAMES)
def test_a_copy_on_another_system_is_in_the_same_split(folder: str, file: str) -> None:
    there = unicodedata.normalize("NFD", folder), unicodedata.normalize("NFD", file)
    assert share("test", folder, file) == share("test", *there)


def in_splits(folder: Path, seed: int) -> dict[str, str]:
    """The split of every photo."""
    found = {}
    for split in SPLITS:
        for name in files(read(folder, split, val_fraction=0.3, seed=seed)):
            assert name not in found
            found[name] = split
    return found


@settings(max_examples=20)
@given(
    st.dictionaries(
        st.sampled_from(["gold finch", "Gold_Finch 2", "C", "C++", "Café", "1.5 TSI"]),
        st.sets(st.integers(0, 999), min_size=40, max_size=60),
        min_size=2,
    ),
    st.randoms(use_true_random=False),
    st.integers(0, 3),
)
def test_a_photo_that_comes_or_goes_moves_no_other(
    classes: dict[str, set[int]], dice: random.Random, seed: int
) -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for name, numbers in classes.items():
            (home / name).mkdir()
            for number in numbers:
                (home / name / f"IMG_{number}.jpg").write_bytes(PHOTO)
        before = in_splits(home, seed)
        assert len(before) == sum(map(len, classes.values()))
        for name in classes:
            (home / name / f"new {dice.random()}.jpg").write_bytes(PHOTO)
            [gone] = dice.sample(sorted((home / name).glob("IMG_*")), 1)
            gone.unlink()
        lay(home, {"another": 30})
        after = in_splits(home, seed)
        common = before.keys() & after.keys()
        assert len(common) == len(before) - len(classes)
        assert {name: before[name] for name in common} == {name: after[name] for name in common}


def test_another_seed_never_makes_a_test_photo_a_training_photo(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 60, "b": 60})
    assert len({frozenset(files(read(tmp_path, "test", seed=s))) for s in range(5)}) == 1
    assert len({frozenset(files(read(tmp_path, "val", seed=s))) for s in range(5)}) == 5


def test_a_renamed_folder_of_the_same_name_keeps_its_split(tmp_path: Path) -> None:
    lay(tmp_path, {"gold_finch": 60, "b": 60})
    before = files(read(tmp_path, "test"))
    (tmp_path / "gold_finch").rename(tmp_path / "gold finch")
    assert files(read(tmp_path, "test")) == before


# Layouts, at random

PARTS = st.sampled_from([("",), ("train", "test"), ("Train", "VALID", "Test"), ("train", "val")])
CLASSES = st.lists(
    st.sampled_from(["rose", "C++", "C#", "1.5 TSI", "2.5 TSI", "Café", "train", "Über_1", "翠鳥"]),
    min_size=2,
    max_size=4,
    unique=True,
)
DEPTHS = st.sampled_from(["", "archive", "test data"])
JUNK = st.sets(st.sampled_from(["__MACOSX/rose", ".cache/x", "docs", ".git"]))


@settings(max_examples=60)
@given(PARTS, CLASSES, DEPTHS, JUNK)
def test_a_layout_gives_its_classes_and_every_photo(
    parts: tuple[str, ...], classes: list[str], depth: str, junk: set[str]
) -> None:
    """Whatever it is wrapped in, and what lies beside it."""
    with TemporaryDirectory() as folder:
        given = Path(folder) / "given"
        home = given / depth
        for part in parts:
            lay(home / part, dict.fromkeys(classes, 40), prefix=part)
        for place in junk - ({"docs"} if depth == "" and parts == ("",) else set()):
            (given / place).mkdir(parents=True, exist_ok=True)
            (given / place / "x.txt").write_text("text")
            if place != "docs":
                (given / place / "._1.jpg").write_bytes(PHOTO)
                (given / place / "1.jpg").write_bytes(PHOTO)
        whole = read(given, "trainval")
        shown = [name.replace("_", " ") for name in sorted(classes)]
        assert whole.classes == shown
        assert whole.home == home
        found = set(files(whole))
        if "Test" in parts or "test" in parts or parts == ("",):
            tests = files(read(given, "test"))
            assert not tests & found
            found |= tests
        assert found == {
            f"{c}/{part}{i:03}.jpg" for part in parts for c in shown for i in range(40)
        }


# What is refused


def test_no_folder(tmp_path: Path) -> None:
    assert "There is no folder" in refusal(tmp_path / "nowhere")
    assert "one folder of photos for each class" in refusal(tmp_path)


def test_one_class(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 20})
    assert "one class only, 'a'" in refusal(tmp_path)


@pytest.mark.parametrize("names", [("gold_finch", "gold finch"), ("Jay", "jay"), ("a-b", "a.b")])
def test_two_classes_of_one_name(tmp_path: Path, names: tuple[str, str]) -> None:
    lay(tmp_path, dict.fromkeys(names, 20))
    said = refusal(tmp_path)
    assert all(repr(name) in said for name in names)
    assert "rename one" in said


def test_c_and_its_descendants_are_three(tmp_path: Path) -> None:
    lay(tmp_path, {"C": 30, "C++": 30, "C#": 30})
    assert read(tmp_path).classes == ["C", "C#", "C++"]


def test_folders_of_folders_are_no_classes(tmp_path: Path) -> None:
    """As splits of other names are, or two data sets side by side."""
    for part in ("seg_train", "seg_test"):
        lay(tmp_path / part, {"forest": 5, "sea": 5})
    said = refusal(tmp_path)
    assert "seg_test holds folders of photos (forest, sea)" in said
    assert "name splits train, val and test" in said


def test_a_class_without_photos(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 20, "b": 20, "c": 0})
    assert "c holds no photo: add some" in refusal(tmp_path)
    (tmp_path / "c" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    assert "1 file passed over: 1 .heic.  HEIC" in refusal(tmp_path)


def test_splits_without_a_train(tmp_path: Path) -> None:
    lay(tmp_path / "test", {"a": 20, "b": 20})
    lay(tmp_path / "Valid", {"a": 20, "b": 20})
    assert "holds Valid, test, but no train" in refusal(tmp_path)


def test_a_train_without_a_test(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 40, "b": 40})
    assert len(read(tmp_path)) > 0
    assert "test is missing" in refusal(tmp_path, "test")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "1.jpg").write_bytes(PHOTO)  # of no class: a contest's
    assert "holds no class folders" in refusal(tmp_path, "test")


def test_one_split_under_two_names(tmp_path: Path) -> None:
    for part in ("train", "val", "valid"):
        lay(tmp_path / part, {"a": 20, "b": 20})
    assert "holds val and valid: which one is the val split?" in refusal(tmp_path)


def test_a_class_that_only_the_test_has(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 20, "b": 20})
    lay(tmp_path / "test", {"c": 2})
    assert "c is a class that" in refusal(tmp_path, "test")


def test_nothing_held_out(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 8, "b": 8})
    assert "raise val_fraction" in refusal(tmp_path, "val", val_fraction=1e-6)
    assert "All photos of a, b are held out" in refusal(tmp_path, "train", val_fraction=1 - 1e-6)


LINKS = [
    ("train/c", "train/a"),  # a class under two names
    ("test/a", "train/a"),  # tested on what was trained on
    ("val", "test"),  # the epoch chosen on test photos
    ("train/b/x.jpg", "train/a/000.jpg"),  # one photo, two classes
    ("test/a/x.jpg", "train/a/000.jpg"),
]


@pytest.mark.parametrize(("link", "target"), LINKS)
def test_a_photo_is_in_one_place(tmp_path: Path, link: str, target: str) -> None:
    lay(tmp_path / "train", {"a": 20, "b": 20})
    lay(tmp_path / "test", {"b": 2})
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / target)
    said = refusal(tmp_path)
    assert "are the same on the disk" in said
    assert str(tmp_path / link) in said


def test_a_loop_of_links_adds_nothing(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 40, "b": 40})
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    assert sum(len(read(tmp_path, split)) for split in SPLITS) == 80


def test_classes_may_lie_elsewhere(tmp_path: Path) -> None:
    lay(tmp_path / "disk", {"x": 40, "y": 40})
    (tmp_path / "data").mkdir()
    for name, place in (("a", "x"), ("b", "y")):
        (tmp_path / "data" / name).symlink_to(tmp_path / "disk" / place)
    assert counts(read(tmp_path / "data", "trainval")).keys() == {"a", "b"}


def test_a_name_that_is_no_unicode_is_listed(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": 20, "b": 20})
    (tmp_path / "train" / "a" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(PHOTO)
    photos = read(tmp_path, "trainval")
    assert "a\ttrain/a/caf\\udce9.jpg" in photos.listing()
    assert len(photos.fingerprint()) == 64


def test_a_class_s_name_is_unicode(tmp_path: Path) -> None:
    lay(tmp_path, {"a": 20, os.fsdecode(b"caf\xe9"): 20})
    assert "is no Unicode: rename the folder" in refusal(tmp_path)


def test_a_name_s_key_is_in_the_hash(tmp_path: Path) -> None:
    assert key("C++") in "c++"
    assert share("test", "C", "1") != share("test", "C++", "1")
