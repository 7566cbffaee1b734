import json

import cv2
import numpy as np
import pytest
from PIL import Image

from lafe.cli.main import main
from lafe.data import DataError, load_benchmark
from lafe.data.partbirds import CLASSES, LAYERS, PARTS, Look, draw, shots, write

TRAIN, TEST, SIZE = 1, 1, 48


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "birds"
    write(folder, seed=5, train=TRAIN, test=TEST, size=SIZE)
    return folder


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_gives_other_pictures(home, tmp_path):
    write(tmp_path / "again", seed=5, train=TRAIN, test=TEST, size=SIZE)
    write(tmp_path / "other", seed=6, train=TRAIN, test=TEST, size=SIZE)
    first, again, other = files(home), files(tmp_path / "again"), files(tmp_path / "other")
    assert first == again
    assert set(first) == set(other)
    pictures = [path for path in first if path.parts[0] == "images"]
    assert len(pictures) == 24 * (TRAIN + TEST)
    assert len({first[path] for path in pictures} | {other[path] for path in pictures}) == 2 * len(
        pictures
    )
    classes = [json.loads(each[path])["classes"] for each in (first, other)
               for path in each if path.name == "partbirds.json"]  # fmt: skip
    assert classes[0] == classes[1]


@pytest.mark.parametrize("split", ["trainval", "test"])
def test_the_reader_of_cub_reads_it(home, split):
    photos = load_benchmark("cub", home, split)
    wanted = [shot for shot in shots(5, TRAIN, TEST) if shot.train == (split == "trainval")]
    assert photos.name == "birds"
    assert photos.classes == [bird.name for bird in CLASSES]
    assert photos.labels == [CLASSES.index(shot.bird) for shot in wanted]
    assert photos.parts.shape == (len(wanted), len(PARTS), 3)
    for i, shot in enumerate(wanted):
        picture = draw(shot.bird, shot.scene_seed, size=SIZE, without=shot.without)
        assert (np.asarray(photos.photo(i)) == picture.image).all()
        assert photos.boxes[i].tolist() == list(picture.box)
        np.testing.assert_allclose(photos.parts[i], picture.points)


def test_it_is_a_kind_of_data_set_which_birds_of_cub_are_not(home, tmp_path):
    photos = load_benchmark("partbirds", home, "test")
    as_cub = load_benchmark("cub", home, "test")
    assert photos.name == "PartBirds"
    assert (photos.paths, photos.labels) == (as_cub.paths, as_cub.labels)
    assert load_benchmark("partbirds", home.parent, "test").home == home
    with pytest.raises(DataError, match="should be the folder partbirds, or hold it"):
        load_benchmark("partbirds", tmp_path, "test")
    (home / "partbirds.json").rename(home / "gone.json")
    try:
        with pytest.raises(DataError, match=r"partbirds\.json is missing"):
            load_benchmark("partbirds", home, "test")
    finally:
        (home / "gone.json").rename(home / "partbirds.json")


def test_masks_say_what_each_pixel_shows(home):
    truth = json.loads((home / "partbirds.json").read_text())
    assert truth["layers"] == list(LAYERS)
    assert len(truth["pictures"]) == 24 * (TRAIN + TEST)
    for entry, shot in zip(truth["pictures"], shots(5, TRAIN, TEST), strict=True):
        picture = shot.draw(SIZE)
        labels = np.asarray(Image.open(home / "masks" / entry["file"]))
        assert (labels == picture.labels).all()
        assert entry["things"] == list(picture.things)
        for part in entry["without"]:
            assert not (labels == LAYERS.index(part)).any()


def test_the_truth_holds_the_parts_of_every_class_and_draws_every_picture_again(home):
    truth = json.loads((home / "partbirds.json").read_text())
    for entry, bird in zip(truth["classes"], CLASSES, strict=True):
        assert (entry["name"], entry["genus"]) == (bird.name, bird.genus)
        assert {part: Look(**look) for part, look in entry["parts"].items()} == bird.parts
    entry = truth["pictures"][7]
    bird = next(b for b in CLASSES if b.name.replace(" ", "_") in entry["file"])
    again = draw(bird, entry["scene_seed"], size=truth["size"], without=entry["without"])
    on_disk = cv2.imread(str(home / "images" / entry["file"]))[..., ::-1]
    assert (again.image == on_disk).all()


def test_half_of_the_training_pictures_miss_parts_and_no_test_picture_does():
    drawn = shots(0, 60, 20)
    train = [shot for shot in drawn if shot.train]
    missing = [len(shot.without) for shot in train if shot.without]
    assert len(missing) / len(train) == pytest.approx(0.5, abs=0.04)
    assert set(missing) == set(range(1, len(PARTS)))
    for part in PARTS:
        gone = np.mean([part in shot.without for shot in train if shot.without])
        assert gone == pytest.approx(0.5, abs=0.06)  # 1 to 7 of 8, all as likely
    assert not any(shot.without for shot in drawn if not shot.train)


def test_every_picture_has_a_scene_of_its_own_and_more_pictures_leave_the_others_as_they_are():
    few, many = shots(0, 5, 3), shots(0, 60, 20)
    assert len({shot.scene_seed for shot in many}) == len(many)
    assert set(few) <= set(many)


def test_a_folder_that_holds_files_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not an empty folder"):
        write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(DataError, match="not an empty folder"):
        write(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "The seed is -1"),
        ({"train": 0}, "too few"),
        ({"test": 0}, "too few"),
        ({"size": 8}, "choose 32 or more"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path, arguments, message
):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_the_command_draws_a_folder(tmp_path, capsys):
    folder = tmp_path / "birds"
    assert main(["partbirds", str(folder), "--train", "1", "--test", "1", "--size", "32"]) == 0
    assert "48 pictures of 24 species" in capsys.readouterr().out
    assert len(load_benchmark("cub", folder, "test")) == 24
    assert main(["partbirds", str(folder)]) == 2
