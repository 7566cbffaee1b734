import hashlib
import random

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from lafe.data import DataError, PhotoDataset, load_benchmark
from lafe.data.benchmarks import _held_out


def write_photo(path, size=(24, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def cub(tmp_path):
    """Two classes; photos 1 to 20 by turns of class 1 and 2; every fourth is a test photo."""
    home = tmp_path / "CUB_200_2011"
    ids = range(1, 21)
    folders = {1: "001.Black_footed_Albatross", 2: "002.Le_Conte_Sparrow"}
    cls = {i: 1 + (i + 1) % 2 for i in ids}
    files = {i: f"{folders[cls[i]]}/photo_{i}.jpg" for i in ids}
    for file in files.values():
        write_photo(home / "images" / file)
    write_lines(home / "images.txt", [f"{i} {file}" for i, file in files.items()])
    write_lines(home / "classes.txt", [f"{i} {name}" for i, name in folders.items()])
    write_lines(home / "image_class_labels.txt", [f"{i} {cls[i]}" for i in ids])
    write_lines(home / "train_test_split.txt", [f"{i} {int(i % 4 != 0)}" for i in ids])
    write_lines(home / "bounding_boxes.txt", [f"{i} {i}.5 2.0 3.0 4.0" for i in ids])
    write_lines(home / "parts" / "parts.txt", [f"{p} left part {p}" for p in range(1, 16)])
    write_lines(
        home / "parts" / "part_locs.txt",
        [f"{i} {p} {i}.0 {p}.25 {p % 2}" for i in ids for p in range(1, 16)],
    )
    return home


@pytest.fixture
def cars(tmp_path):
    home = tmp_path / "stanford_cars"
    kind = [("fname", "O"), ("class", "O")]
    for split, annotations in (
        ("train", home / "devkit" / "cars_train_annos.mat"),
        ("test", home / "cars_test_annos_withlabels.mat"),
    ):
        rows = [(f"{i:05}.jpg", 1 + i % 2) for i in range(10)]
        for file, _ in rows:
            write_photo(home / f"cars_{split}" / file)
        annotations.parent.mkdir(parents=True, exist_ok=True)
        savemat(annotations, {"annotations": np.array(rows, dtype=kind)})
    names = np.array(["Audi A5 2012", "BMW X3 2012"], dtype=object)
    savemat(home / "devkit" / "cars_meta.mat", {"class_names": names})
    return home


@pytest.fixture
def aircraft(tmp_path):
    data = tmp_path / "fgvc-aircraft-2013b" / "data"
    write_lines(data / "variants.txt", ["707-320", "DC-3"])
    write_lines(data / "manufacturers.txt", ["Boeing", "Douglas Aircraft Company"])
    for split, names in {"train": "012", "val": "34", "trainval": "01234", "test": "56"}.items():
        for level, of in {
            "variant": ["707-320", "DC-3"],
            "manufacturer": ["Boeing", "Douglas Aircraft Company"],
        }.items():
            write_lines(
                data / f"images_{level}_{split}.txt", [f"00{n} {of[int(n) % 2]}" for n in names]
            )
        for n in names:
            write_photo(data / "images" / f"00{n}.jpg")
    return data.parent


def names_of(photos):
    return [path.name for path in photos.paths]


def all_splits(kind, root, **options):
    return {s: load_benchmark(kind, root, s, **options) for s in ("train", "val", "trainval")}


# The photos beside the checkout: counts from their README.


@pytest.mark.parametrize(
    ("kind", "train", "val", "test", "classes"),
    [("cub", 1500, 0, 1042, 50), ("cars", 6465, 0, 1282, 196), ("aircraft", 2688, 308, 479, 47)],
)
def test_counts_of_the_benchmarks(shared_data, kind, train, val, test, classes):
    splits = all_splits(kind, shared_data)
    tests = load_benchmark(kind, shared_data, "test")
    assert len(splits["trainval"]) == train + val
    assert len(tests) == test
    assert len(tests.classes) == classes == len(set(splits["train"].labels))
    assert not set(splits["train"].paths) & set(splits["val"].paths)
    assert set(splits["train"].paths) | set(splits["val"].paths) == set(splits["trainval"].paths)
    assert not set(tests.paths) & set(splits["trainval"].paths)
    if val:
        assert len(splits["val"]) == val
    else:
        assert len(splits["val"]) == pytest.approx(0.1 * train, rel=0.1)
        assert set(splits["val"].labels) == set(range(classes))


@pytest.mark.parametrize(("level", "classes"), [("family", 42), ("manufacturer", 24)])
def test_levels_of_the_aircraft(shared_data, level, classes):
    photos = load_benchmark("aircraft", shared_data, "val", annotation_level=level)
    assert len(photos.classes) == classes


def test_birds_lie_in_their_folders_and_photos(shared_data):
    photos = load_benchmark("cub", shared_data / "CUB_200_2011", "test")
    for path, label in zip(photos.paths, photos.labels, strict=True):
        number, name = path.parent.name.split(".")
        assert (int(number) - 1, name.replace("_", " ")) == (label, photos.classes[label])
    for i in range(0, len(photos), 100):
        width, height = photos.photo(i).size
        x, y, w, h = photos.boxes[i].tolist()
        assert min(x, y) >= 0
        assert x + w <= width + 1
        assert y + h <= height + 1
        visible = photos.parts[i][photos.parts[i, :, 2] == 1]
        assert len(visible) > 0
        assert (visible[:, :2] <= torch.tensor([width, height])).all()


@pytest.mark.parametrize(
    ("kind", "split", "digest"),
    [
        ("cub", "train", "6eb82ceac79c7710b8ed1197c4d34bf37ee6063e095060dd4b2f7f95656453bd"),
        ("cub", "val", "257cef706db679b889aba7703690b5f8a2ad88e513c464e74f7b6d37c7c78ee2"),
        ("cub", "trainval", "38837fe66ecd0e5c627a020e20d006fd31715a36b88feebed8a1d6d5b707966f"),
        ("cub", "test", "77d7afd4ab381611fa7f8109e9d0289750689a95c07812de3e7b5216e7ead12c"),
        ("cars", "train", "84caab59a8f199bc3de4edd85f5c2a284c7d5556c70c22fe6484995544263e96"),
        ("cars", "val", "2fa05989822a054331e3efe2b139408a83ccf7138ea898d28357f9bfee81ba89"),
        ("cars", "trainval", "1721d4bba6b0898927c9dc47127216dda44ed8efd58b1c60ce2ec83ae41ed68d"),
        ("cars", "test", "81cc6a340a9fb602bc3d0cf020ed9d37ec4a13e4f15242b34e4886161417d8bb"),
        ("aircraft", "train", "669f39d66352f13dd6a4bfda538d497f848213aa298b836deca54154a2bf92d9"),
        ("aircraft", "val", "b64220f47d4f73f68cd1086b7bbf06bec34b992cf846e41a3ba8903e6a26f346"),
        (
            "aircraft",
            "trainval",
            "6748e6ac204e16dce5fbee850fa55503c961346b767cacd3a20c13f25c09eda5",
        ),
        ("aircraft", "test", "d1dcafc4c706c318a6244ab33f9134776e2e54eece23a35678bea59da3d21932"),
    ],
)
def test_a_benchmark_s_splits_are_those_of_the_checkpoints(shared_data, kind, split, digest):
    """Written down as they were trained: a test photo that moves would be known by heart."""
    photos = load_benchmark(kind, shared_data, split, val_fraction=0.1, seed=0)
    files = [path.relative_to(shared_data).as_posix() for path in photos.paths]
    lines = [f"{label}\t{file}" for label, file in zip(photos.labels, files, strict=True)]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


def test_one_decoder_reads_benchmarks_as_pillow_alone_does(shared_data):
    """So the figures of checkpoints that were trained on the latter still hold."""
    for kind in ("cub", "cars", "aircraft"):
        photos = load_benchmark(kind, shared_data, "test")
        for i in range(0, len(photos), 40):
            with Image.open(photos.paths[i]) as image:
                expected = np.asarray(image.convert("RGB"))
            np.testing.assert_array_equal(np.asarray(photos.photo(i)), expected)


def test_the_smallest_photo_of_a_benchmark_is_one(shared_data):
    photos = load_benchmark("cars", shared_data, "trainval")
    [place] = [i for i, path in enumerate(photos.paths) if path.name == "06284.jpg"]
    assert photos.photo(place).size == (76, 23)


# Small ones, written here.


def test_cub_by_hand(cub):
    photos = load_benchmark("cub", cub, "test")
    assert names_of(photos) == [f"photo_{i}.jpg" for i in (4, 8, 12, 16, 20)]
    assert photos.labels == [1] * 5
    assert photos.classes == ["Black footed Albatross", "Le Conte Sparrow"]
    assert photos.boxes[:, 0].tolist() == [4.5, 8.5, 12.5, 16.5, 20.5]
    assert photos.parts.shape == (5, 15, 3)
    assert photos.parts[1, 2].tolist() == [8.0, 3.25, 1.0]
    assert photos.photo(0).size == (24, 16)


def test_boxes_and_parts_follow_the_photos_into_a_split(cub):
    photos = load_benchmark("cub", cub, "val", val_fraction=0.4)
    numbers = [int(path.stem.split("_")[1]) for path in photos.paths]
    assert photos.boxes[:, 0].tolist() == [n + 0.5 for n in numbers]
    assert photos.parts[:, 0, 0].tolist() == numbers


def test_lines_of_cub_may_come_in_any_order(cub):
    expected = load_benchmark("cub", cub, "trainval")
    shuffle = random.Random(0).shuffle
    for file in ("image_class_labels.txt", "bounding_boxes.txt", "parts/part_locs.txt"):
        lines = (cub / file).read_text().splitlines()
        shuffle(lines)
        write_lines(cub / file, lines)
    found = load_benchmark("cub", cub, "trainval")
    assert found.labels == expected.labels
    assert found.boxes.equal(expected.boxes)
    assert found.parts.equal(expected.parts)


def test_cars_by_hand(cars):
    photos = load_benchmark("cars", cars, "test")
    assert names_of(photos) == [f"{i:05}.jpg" for i in range(10)]
    assert {path.parent.name for path in photos.paths} == {"cars_test"}
    assert photos.labels == [0, 1] * 5
    assert photos.classes == ["Audi A5 2012", "BMW X3 2012"]
    assert {p.parent.name for p in load_benchmark("cars", cars, "val").paths} == {"cars_train"}


def test_aircraft_has_its_own_val(aircraft):
    assert names_of(load_benchmark("aircraft", aircraft, "val")) == ["003.jpg", "004.jpg"]
    photos = load_benchmark("aircraft", aircraft, "test", annotation_level="manufacturer")
    assert photos.labels == [1, 0]
    assert photos.classes == ["Boeing", "Douglas Aircraft Company"]


@pytest.mark.parametrize("kind", ["cub", "cars", "aircraft"])
def test_the_parent_will_do(request, kind):
    home = request.getfixturevalue(kind)
    here, above = (load_benchmark(kind, root, "train").paths for root in (home, home.parent))
    assert here == above


def as_mirrors_pack_it(kind, home):
    """Move a data set to where people's archives unpack it to."""
    outer = home.parent / "mirror" / home.name
    outer.parent.mkdir()
    if kind == "cars":  # each archive of the publisher's in a folder of its own
        home.rename(outer)
        (outer / "devkit").rename(outer / "x")
        (outer / "car_devkit").mkdir()
        (outer / "x").rename(outer / "car_devkit" / "devkit")
        for part in ("cars_train", "cars_test"):
            (outer / part).rename(outer / "x")
            (outer / part).mkdir()
            (outer / "x").rename(outer / part / part)
    else:
        outer.mkdir()
        home.rename(outer / home.name)
    return outer


@pytest.mark.parametrize("kind", ["cub", "cars", "aircraft"])
@pytest.mark.parametrize("given", ["itself", "its parent"])
@pytest.mark.parametrize("name", ["official", "archive (2)"])
def test_a_mirror_s_layout_is_the_same_data_set(request, kind, given, name):
    home = request.getfixturevalue(kind)
    expected = load_benchmark(kind, home, "train"), load_benchmark(kind, home, "test")
    outer = as_mirrors_pack_it(kind, home)
    (outer / "__MACOSX" / "images").mkdir(parents=True)
    if name != "official":
        outer = outer.rename(outer.parent / name)
    root = outer if given == "itself" else outer.parent
    if name != "official" and given == "its parent" and kind != "cars":
        with pytest.raises(DataError, match="should be the folder"):  # that is two folders deeper
            load_benchmark(kind, root, "train")
        return
    for before, split in zip(expected, ("train", "test"), strict=True):
        found = load_benchmark(kind, root, split)
        assert names_of(found) == names_of(before)
        assert (found.labels, found.classes) == (before.labels, before.classes)
        assert found.photo(0).size == (24, 16)


@pytest.mark.parametrize("kind", ["cub", "cars", "aircraft"])
def test_a_listing_is_the_same_wherever_the_data_set_lies(request, kind):
    home = request.getfixturevalue(kind)
    before = load_benchmark(kind, home, "train")
    moved = home.parent / "elsewhere"
    moved.mkdir()
    home.rename(moved / home.name)
    after = load_benchmark(kind, moved, "train")
    assert after.paths != before.paths
    assert after.listing() == before.listing()
    assert after.fingerprint() == before.fingerprint()
    assert after.fingerprint() != after.subset(range(len(after) - 1)).fingerprint()
    assert after.fingerprint() == after.subset(range(len(after))[::-1]).fingerprint()


def test_a_label_that_no_class_has_is_refused(cars):
    names = np.array(["Audi A5 2012"], dtype=object)
    savemat(cars / "devkit" / "cars_meta.mat", {"class_names": names})
    with pytest.raises(DataError, match="names a class that"):
        load_benchmark("cars", cars, "train")


def test_the_current_folder_will_do(cub, monkeypatch):
    monkeypatch.chdir(cub)
    assert len(load_benchmark("cub", ".", "trainval")) == 15


def test_held_out_photos_depend_on_names_and_seed_only(tmp_path):
    paths = [tmp_path / f"{i:02}.jpg" for i in range(30)]
    for path in paths:
        write_photo(path)
    shuffled = random.Random(1).sample(paths, len(paths))

    def held(paths, seed):
        photos = PhotoDataset("x", list(paths), [0] * len(paths), ["a"])
        return {paths[i] for i in np.flatnonzero(_held_out(photos, 0.3, seed))}

    assert held(paths, 0) == held(shuffled, 0)
    assert held(paths, 0) != held(paths, 1)
    assert len(held(paths, 0)) == 9


# What is refused, and how.


@pytest.mark.parametrize("kind", ["cub", "cars", "aircraft"])
def test_an_absent_data_set(tmp_path, kind):
    with pytest.raises(DataError, match="should be the folder"):
        load_benchmark(kind, tmp_path, "train")


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("cub", "train_test_split.txt"),
        ("cub", "parts/part_locs.txt"),
        ("cars", "devkit/cars_meta.mat"),
        ("cars", "devkit/cars_train_annos.mat"),
        ("aircraft", "data/variants.txt"),
        ("aircraft", "data/images_variant_train.txt"),
    ],
)
def test_a_missing_file_is_named(request, kind, file):
    home = request.getfixturevalue(kind)
    (home / file).unlink()
    with pytest.raises(DataError, match=f"{file} is missing"):
        load_benchmark(kind, home, "train")


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("cub", "bounding_boxes.txt"),
        ("cub", "image_class_labels.txt"),
        ("cub", "images.txt"),
        ("cub", "parts/part_locs.txt"),
        ("cars", "devkit/cars_train_annos.mat"),
        ("cars", "devkit/cars_meta.mat"),
        ("aircraft", "data/images_variant_train.txt"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"nonsense and more\n", b"\xff\xfe\x00"])
def test_a_broken_file_is_a_data_error(request, kind, file, content):
    home = request.getfixturevalue(kind)
    (home / file).write_bytes(content)
    with pytest.raises(DataError):
        load_benchmark(kind, home, "train")


@pytest.mark.parametrize(
    "file", ["bounding_boxes.txt", "image_class_labels.txt", "parts/part_locs.txt"]
)
def test_a_photo_without_its_line_is_named(cub, file):
    lines = (cub / file).read_text().splitlines()
    write_lines(cub / file, [line for line in lines if not line.startswith("7 ")])
    with pytest.raises(DataError, match=rf"{file} has no complete line for photo 7\."):
        load_benchmark("cub", cub, "train")


def test_a_class_without_its_line_is_named(cub):
    write_lines(cub / "classes.txt", ["1 001.Black_footed_Albatross"])
    with pytest.raises(DataError, match=r"no line for class 2\."):
        load_benchmark("cub", cub, "train")


def test_a_listed_photo_that_is_absent_is_named(cub):
    (cub / "images" / "001.Black_footed_Albatross" / "photo_1.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 15 .* absent; the first is .*photo_1\.jpg"):
        load_benchmark("cub", cub, "train")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("dogs", "train"), {}, "no kind 'dogs'; choose one of cub"),
        (("cub", "dev"), {}, "no split 'dev'"),
        (("cub", "val"), {"val_fraction": 1.0}, "val_fraction"),
        (("aircraft", "val"), {"annotation_level": "engine"}, "annotation_level 'engine'"),
    ],
)
def test_unknown_arguments(tmp_path, arguments, options, message):
    kind, split = arguments
    with pytest.raises(DataError, match=message):
        load_benchmark(kind, tmp_path, split, **options)
