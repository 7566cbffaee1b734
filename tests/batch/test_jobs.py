"""Which photos a command does, and which class each is compared with."""

import io
import os
import tarfile
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from lafe.batch.jobs import jobs
from lafe.checkpoints.card import Card
from lafe.data.photo import PhotoError

PHOTO = b"\xff\xd8\xff\xe0 nothing decodes these"
CLASSES = ["Blue Jay", "2.5 TSI", "1.5 TSI", "Café", "C++", "C", "C#"]


def card(*classes: str) -> Card:
    model = {"backbone": "test_resnet", "num_classes": len(classes), "input_size": 64}
    return Card("c", list(classes), model, 64, [0.0] * 3, [1.0] * 3, "0" * 64)


def lay(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(PHOTO)
    return folder


def labelled(*paths: str | Path) -> dict[str, int | None]:
    """Label of each photo, by its folder and name."""
    todo = jobs(paths, card(*CLASSES)).todo
    return {"/".join(Path(os.path.abspath(j.path)).parts[-2:]): j.label for j in todo}


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("Blue_Jay", 0),
        ("007.Blue_Jay", 0),
        ("1.5 TSI", 2),
        ("2.5_TSI", 1),
        ("3.5 TSI", None),
        ("Cafe\N{COMBINING ACUTE ACCENT}", 3),
        ("C++", 4),
        ("c", 5),
        ("C#", 6),
        ("Jay", None),
    ],
)
def test_a_photo_has_the_class_of_its_folder(
    tmp_path: Path, folder: str, label: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is named: by its folder or one above, a pattern of the shell, or ``.``."""
    home = lay(tmp_path / folder, "1.jpg", "2.JPG")
    expected = {f"{folder}/{name}": label for name in ("1.jpg", "2.JPG")}
    assert labelled(tmp_path) == expected
    assert labelled(home) == expected
    assert labelled(*sorted(home.iterdir())) == expected
    monkeypatch.chdir(home)
    assert labelled(".") == expected
    assert labelled("1.jpg", "2.JPG") == expected
    assert labelled("./../.") == expected


def test_the_nearest_folder_counts_up_to_the_one_that_was_named(tmp_path: Path) -> None:
    lay(tmp_path / "Blue_Jay" / "2020" / "C", "1.jpg")
    lay(tmp_path / "Blue_Jay" / "2020", "2.jpg")
    assert labelled(tmp_path) == {"C/1.jpg": 5, "2020/2.jpg": 0}
    assert labelled(tmp_path / "Blue_Jay" / "2020") == {"C/1.jpg": 5, "2020/2.jpg": None}
    assert labelled(tmp_path / "Blue_Jay" / "2020" / "2.jpg") == {"2020/2.jpg": None}


def test_photos_that_are_named_twice_count_once(tmp_path: Path) -> None:
    home = lay(tmp_path / "Blue_Jay", "1.jpg", "2.jpg")
    for paths in ((tmp_path, home), (home, tmp_path), (home / "1.jpg", home, home / "1.jpg")):
        assert labelled(*paths) == {"Blue_Jay/1.jpg": 0, "Blue_Jay/2.jpg": 0}
        assert len(jobs(paths, card(*CLASSES)).todo) == 2


def test_a_list_and_a_folder_that_overlap_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However their paths are written."""
    home = lay(tmp_path / "Blue_Jay", "1.jpg", "2.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("Blue_Jay/1.jpg\n./Blue_Jay/../Blue_Jay/1.jpg\n"))
    todo = jobs(["-", home], card(*CLASSES)).todo
    assert [job.name for job in todo] == ["Blue_Jay/1.jpg", str(home / "2.jpg")]
    assert [job.label for job in todo] == [0, 0]


def test_a_link_that_is_named_like_a_class_means_it(tmp_path: Path) -> None:
    lay(tmp_path / "disk" / "x", "1.jpg")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Blue_Jay").symlink_to(tmp_path / "disk" / "x")
    assert labelled(tmp_path / "mine") == {"Blue_Jay/1.jpg": 0}
    assert labelled(tmp_path / "mine" / "Blue_Jay") == {"Blue_Jay/1.jpg": 0}


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    lay(tmp_path, "1.jpg")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "2.heic").write_bytes(b"\0\0\0\x18ftypheic")
    said = jobs([tmp_path], card("a", "b")).said
    assert said.startswith("2 files passed over: 1 .heic, 1 .txt.  HEIC photos cannot be read")


def test_nothing_to_do_is_said_with_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "2.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(PhotoError, match=r"No photo .* 1 file passed over: 1 \.heic\..*JPEG"):
        jobs([tmp_path], card("a", "b"))
    with pytest.raises(PhotoError, match=r"There is no photo or folder .*nowhere"):
        jobs([tmp_path, tmp_path / "nowhere"], card("a", "b"))


SEPARATORS = st.sampled_from(["_", " ", "-", "."])
WORDS = st.lists(st.sampled_from(["jay", "C++", "1", "5", "TSI", "Über", "翠鳥"]), min_size=1)


@given(st.lists(WORDS, min_size=2, max_size=5, unique_by="".join), st.data())
def test_a_folder_means_its_class_however_it_is_written(
    classes: list[list[str]], data: st.DataObject
) -> None:
    """With any separators, case and form of its accents; CUB's number in front; as any argument."""
    names = [" ".join(words) for words in classes]
    with TemporaryDirectory() as root:
        expected = {}
        for label, words in enumerate(classes):
            parts = [words[0]]
            for word in words[1:]:
                parts += [data.draw(SEPARATORS), word]
            name = "".join(parts)
            name = data.draw(st.sampled_from([name, name.upper(), name.lower()]))
            name = unicodedata.normalize(data.draw(st.sampled_from(["NFC", "NFD"])), name)
            if name[0].isalpha() and data.draw(st.booleans()):
                name = f"{label + 1:03}.{name}"
            lay(Path(root, str(label), name), f"{label}.jpg")
            expected[f"{label}.jpg"] = label
        folders = sorted(Path(root).glob("*/*"))
        arguments = data.draw(
            st.sampled_from([[Path(root)], folders, sorted(Path(root).glob("*/*/*"))])
        )
        todo = jobs(arguments, card(*names)).todo
        # Its folder above is called 0, 1, ...: a class of that name may be meant by it.
        assert {Path(job.path).name: job.label for job in todo} == expected


def test_a_pattern_and_a_list_name_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path / "Blue_Jay" / "deep", "1.jpg", "2.png")
    lay(tmp_path / "C", "3.jpg")
    assert labelled(tmp_path / "**" / "*.jpg") == {"deep/1.jpg": None, "C/3.jpg": 5}
    with pytest.raises(PhotoError, match=r"no photo or folder .*\*\.webp"):
        jobs([tmp_path / "*.webp"], card("a", "b"))
    names = f"{tmp_path}/C/3.jpg\n\n{tmp_path}/nowhere.jpg\r\n{tmp_path}/C/3.jpg\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(names))
    todo = jobs(["-"], card(*CLASSES)).todo
    assert [(job.name, job.label) for job in todo] == [
        (f"{tmp_path}/C/3.jpg", 5),
        (f"{tmp_path}/nowhere.jpg", None),
    ]


def picture(colour: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (colour, 0, 0)).save(out, "PNG")
    return out.getvalue()


def test_shards_that_webdataset_writes_are_read(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="the package webdataset writes the shard")
    shard = tmp_path / "train-000.tar"
    with wds.TarWriter(str(shard)) as out:
        for i, said in enumerate(("0", "C++", "99", "Jay")):
            out.write({"__key__": f"n.{i}" if i == 9 else f"s{i}", "png": picture(i), "cls": said})
        out.write({"__key__": "C/alone", "png": picture(4)})
    todo = jobs([shard], card(*CLASSES)).todo
    assert [job.name for job in todo] == [
        *(f"{shard}/s{i}.png" for i in range(4)),
        f"{shard}/C/alone.png",
    ]
    assert [job.label for job in todo] == [0, 4, None, None, 5]
    assert [job.open().getpixel((3, 3))[0] for job in reversed(todo)] == [4, 3, 2, 1, 0]


def test_a_damaged_shard_is_a_photo_that_cannot_be_read(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar"
    with tarfile.open(whole, "w") as tar:
        for name in ("a.png", "b.png"):
            info = tarfile.TarInfo(name)
            info.size = len(picture(1))
            tar.addfile(info, io.BytesIO(picture(1)))
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[: 512 + 40])
    (tmp_path / "none.tar").write_bytes(b"no tar" * 500)
    for name in ("cut.tar", "none.tar"):
        problems = []
        for job in jobs([tmp_path / name], card("a", "b")).todo:
            with pytest.raises(PhotoError) as caught:
                job.open()
            problems.append(str(caught.value))
        assert problems, name
    assert "damaged or no tar file" in problems[-1]


def test_the_photos_of_an_earlier_run_s_parquet_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    lay(tmp_path / "C", "1.jpg")
    parquet.write_table(pa.table({"photo": [f"{tmp_path}/C/1.jpg"]}), tmp_path / "list.parquet")
    assert labelled(tmp_path / "list.parquet") == {"C/1.jpg": 5}
    parquet.write_table(pa.table({"other": ["x"]}), tmp_path / "other.parquet")
    (tmp_path / "none.parquet").write_bytes(b"no table")
    for name in ("other.parquet", "none.parquet"):
        with pytest.raises(PhotoError, match="no Parquet file with a column 'photo'"):
            jobs([tmp_path / name], card("a", "b"))


def test_a_file_system_of_pyarrow_is_read(tmp_path: Path) -> None:
    """The local one, by its address: S3's and others' are asked the same."""
    (tmp_path / "Blue_Jay").mkdir()
    (tmp_path / "Blue_Jay" / "1.png").write_bytes(picture(7))
    (tmp_path / "Blue_Jay" / "notes.txt").write_text("no photo")
    whole = f"file://{tmp_path}"
    for place in (whole, f"{whole}/", f"{whole}/Blue_Jay/1.png"):
        (job,) = jobs([place], card(*CLASSES)).todo
        assert (job.name, job.label) == (f"file://{tmp_path}/Blue_Jay/1.png", 0)
        assert job.open().getpixel((1, 1)) == (7, 0, 0)
    with pytest.raises(PhotoError, match="cannot be read"):
        jobs([f"file://{tmp_path}/nowhere"], card("a", "b"))
    with pytest.raises(PhotoError, match="no photo or folder"):
        jobs(["strange://bucket/x"], card("a", "b"))
