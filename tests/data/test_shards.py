"""Tar shards are the same data set as the folders that they were made of."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sharded import pack
from tiny import tiny_model

from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.data import DataError, load_benchmark
from lafe.data.dataset import members_of
from lafe.data.shards import samples


def picture(colour: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (colour, 0, 0)).save(out, "PNG")
    return out.getvalue()


def lay(root: Path, classes: Sequence[str], each: int, under: str = "") -> Path:
    for k, name in enumerate(classes):
        (root / under / name).mkdir(parents=True)
        for i in range(each):
            (root / under / name / f"{i:02}.png").write_bytes(picture(20 * k + i))
    return root


def write(shard: Path, **members: bytes | str) -> None:
    """A shard of members; a name's ``__`` is its dot."""
    with tarfile.open(shard, "w") as tar:
        for name, data in members.items():
            raw = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))


def told(root: Path, split: str, **options: float) -> list[tuple[str, str, bytes]]:
    """Class, name and pixels of the photos of a split, in order."""
    found = load_benchmark("folder", root, split, **options)
    return [
        (found.classes[label], path.name, found.photo(i).tobytes())
        for i, (path, label) in enumerate(zip(found.paths, found.labels, strict=True))
    ]


@pytest.mark.parametrize("layout", ["hashed", "named"])
def test_shards_are_split_and_ordered_like_their_folders(layout: str, tmp_path: Path) -> None:
    """However the photos are dealt to shards, and with classes as folders or as ``.cls``."""
    folders = tmp_path / "folders"
    classes = ["Blue_Jay", "crow", "Ovenbird"]
    if layout == "hashed":
        lay(folders, classes, 25)
        pack(folders, tmp_path / "shards", count=4, seed=1)
    else:
        for split in ("train", "val", "test"):
            lay(folders, classes, 5, split)
            pack(folders / split, tmp_path / "shards", count=2, seed=1, prefix=f"{split}-")
    for split in ("train", "val", "trainval", "test"):
        expected = told(folders, split, val_fraction=0.3, seed=5)
        assert expected
        assert told(tmp_path / "shards", split, val_fraction=0.3, seed=5) == expected


def test_shards_that_webdataset_writes_are_a_data_set(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="the package webdataset writes the shards")
    for split, first in (("train", 0), ("test", 50)):
        with wds.ShardWriter(f"{tmp_path}/{split}-%03d.tar", maxcount=3, verbose=0) as out:
            for i in range(first, first + 8):
                out.write({"__key__": f"{i:04}", "png": picture(i), "cls": str(i % 2)})
    (tmp_path / "classes.txt").write_text("Jay\nCrow\n")
    assert len(list(tmp_path.glob("train-*.tar"))) == 3
    train = load_benchmark("folder", tmp_path, "train", val_fraction=1e-9)
    assert (train.classes, train.labels) == (["Jay", "Crow"], [0] * 4 + [1] * 4)
    seen = [train.photo(i).getpixel((3, 3))[0] for i in range(8)]
    assert seen == [0, 2, 4, 6, 1, 3, 5, 7]
    assert len(set(train.digests())) == 8
    subset = train.subset([7, 0])
    assert [subset.photo(i).getpixel((3, 3))[0] for i in range(2)] == [7, 0]
    assert subset.lines() == ["Crow\ttrain-002.tar/0007.png", "Jay\ttrain-000.tar/0000.png"]
    (tmp_path / "classes.txt").unlink()
    assert load_benchmark("folder", tmp_path, "test").classes == ["0", "1"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a__png": b"x"}, "a.png has no class"),
        ({"a__png": b"x", "a__cls": "7"}, "is of class 7"),
    ],
)
def test_what_is_wrong_with_a_shard_is_said(
    members: dict[str, bytes | str], reason: str, tmp_path: Path
) -> None:
    write(tmp_path / "000.tar", **members)
    (tmp_path / "classes.txt").write_text("Jay\nCrow\n")
    with pytest.raises(DataError, match=reason):
        load_benchmark("folder", tmp_path, "train")


def test_shards_of_unknown_splits_and_classes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", a__png=picture(0), a__cls="jay", b__png=picture(1), b__cls="x")
    write(tmp_path / "test-0.tar", c__png=picture(0), c__cls="crow")
    with pytest.raises(DataError, match="'crow', a class that train does not have"):
        load_benchmark("folder", tmp_path, "train")
    (tmp_path / "test-0.tar").rename(tmp_path / "rest-0.tar")
    with pytest.raises(DataError, match=r"rest-0\.tar is not"):
        load_benchmark("folder", tmp_path, "train")
    (tmp_path / "rest-0.tar").write_bytes(b"no tar" * 500)
    with pytest.raises(DataError, match="damaged or no tar file"):
        list(samples(tmp_path / "rest-0.tar"))


def test_a_shard_that_goes_is_a_photo_that_cannot_be_read(tmp_path: Path) -> None:
    lay(tmp_path / "folders", ["a", "b"], 10)
    pack(tmp_path / "folders", tmp_path / "shards", count=1, seed=0)
    found = load_benchmark("folder", tmp_path / "shards", "trainval")
    (shard,) = (tmp_path / "shards").glob("*.tar")
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(DataError, match="cannot be used"):
        found.photo(len(found) - 1)


def test_an_index_of_shards_is_refused_since_the_app_could_not_show_its_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "folders", ["a", "b"], 3)
    pack(tmp_path / "folders", tmp_path / "shards", count=1, seed=0)
    folder = save(tiny_model(classes=2), tmp_path / "tiny", ["a", "b"], data={"name": "folder"})
    assert main(["index", str(folder), "--data", str(tmp_path / "shards")]) == 2
    assert "not as shards" in capsys.readouterr().err


def test_members_of_labels_are_those_that_a_search_finds() -> None:
    labels = np.random.default_rng(0).integers(0, 9, 100) * 3
    found = {label: members.tolist() for label, members in members_of(labels.tolist())}
    assert list(found) == sorted(set(labels.tolist()))
    for label, members in found.items():
        assert members == [i for i, other in enumerate(labels) if other == label]
