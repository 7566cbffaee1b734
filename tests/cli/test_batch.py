"""Which photos a command does, and which class each is compared with."""

import os
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st

from lafe.checkpoints.card import Card
from lafe.cli.batch import Tally, jobs
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
    return {f"{Path(os.path.abspath(j.path)).parent.name}/{j.path.name}": j.label for j in todo}


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
        assert {job.path.name: job.label for job in todo} == expected


def test_a_tally_by_hand() -> None:
    """Labels 0 to 2; A and B as predicted."""
    tally = Tally()
    for label, a, b in [(0, 0, 0), (0, 0, 1), (1, 0, 1), (2, 0, 0), (None, 0, 0)]:
        tally.add(label, a, b)
    assert tally.lines(versus=True) == [
        "The folders of 1 photos name no class of this model.",
        "A is right on 2 of 4 photos (50.0 %) with a label.",
        "A and B agree on 3 of 5 photos (60.0 %).",
        "B is right on 2 of 4 photos (50.0 %) with a label.",
        "Only A is right on 1, only B on 1.",
    ]
