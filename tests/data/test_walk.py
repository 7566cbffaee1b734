"""Every photo once, whatever its name and however it is linked; the rest is counted."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from lafe.data.walk import walk

JPEG, PNG, WEBP = b"\xff\xd8\xff\xe0 rest", b"\x89PNG\r\n\x1a\n rest", b"RIFF\0\0\n\0WEBPVP8 "
AVIF = b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def lay(folder: Path, **files: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def names(folder: Path, *roots: str) -> list[str]:
    found = walk([folder / root for root in roots] if roots else [folder])
    return [photo.relative_to(folder).as_posix() for photo in found.photos]


def test_first_bytes_decide(tmp_path: Path) -> None:
    lay(
        tmp_path,
        **{
            "a.jpg": JPEG,
            "b.JPG": JPEG,
            "c.jfif": JPEG,
            "d.jpe": JPEG,
            "e.txt": PNG,
            "f": WEBP,
            "g.tar.gz": JPEG,
            "notes.txt": b"text",
            "x": b"",
            "y.heic": HEIC,
            "z.HEIC": HEIC,
            "z.mp4": b"\0\0\0\x18ftypmp42",
            "Mr. Smith's list": b"text",
        },
    )
    found = walk([tmp_path])
    assert [p.name for p in found.photos] == [
        "a.jpg",
        "b.JPG",
        "c.jfif",
        "d.jpe",
        "e.txt",
        "f",
        "g.tar.gz",
    ]
    assert found.passed == {".txt": 1, "without an ending": 2, ".heic": 2, ".mp4": 1}
    assert found.said.startswith(
        "6 files passed over: 2 .heic, 2 without an ending, 1 .mp4, 1 .txt.  HEIC photos cannot"
    )
    assert "JPEG" in found.said


def test_what_cannot_be_read_is_named_with_the_way_to_a_jpeg(tmp_path: Path) -> None:
    lay(tmp_path, **{"a.avif": AVIF, "b.AVIF": AVIF, "c.heif": HEIC})
    said = walk([tmp_path]).said
    assert said.startswith("3 files passed over: 2 .avif, 1 .heif.  HEIC photos cannot be read")
    assert said.count("save this one as JPEG") == 2
    assert "AVIF pictures cannot be read" in said


def test_one_file_is_one(tmp_path: Path) -> None:
    lay(tmp_path, **{"a.txt": b""})
    assert walk([tmp_path]).said == "1 file passed over: 1 .txt."
    (tmp_path / "a.txt").unlink()
    assert walk([tmp_path]).said == ""


@pytest.mark.parametrize("data", [b"", b"<html>", HEIC])
@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.webp", "a.jfif"])
def test_a_file_that_says_it_is_a_photo_is_not_passed_over(
    tmp_path: Path, name: str, data: bytes
) -> None:
    """Its decoder will say what is wrong with it."""
    lay(tmp_path, **{name: data})
    assert names(tmp_path) == [name]


def test_hidden_files_and_folders_do_not_exist(tmp_path: Path) -> None:
    for folder in ("", ".thumbnails", "__MACOSX/birds", "birds/@eaDir", "birds"):
        lay(tmp_path / folder, **{"x.jpg": JPEG, "._x.jpg": b"\0\5\x16\7", ".y.jpg": JPEG})
    found = walk([tmp_path])
    assert [p.relative_to(tmp_path).as_posix() for p in found.photos] == ["birds/x.jpg", "x.jpg"]
    assert not found.passed
    assert names(tmp_path, ".thumbnails") == [".thumbnails/x.jpg"]  # it was asked for


def test_what_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    lay(tmp_path, **{"list.txt": b"text", ".hidden.jpg": JPEG})
    assert names(tmp_path, "list.txt", ".hidden.jpg") == ["list.txt", ".hidden.jpg"]


def test_what_is_named_twice_counts_once(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        lay(tmp_path / folder, **{"1.jpg": JPEG, "2.jpg": JPEG})
    roots = ("b", ".", "a", "b/2.jpg", "a/../b")
    assert names(tmp_path, *roots) == ["b/1.jpg", "b/2.jpg", "a/1.jpg", "a/2.jpg"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    for folder in ("a", "b/c"):
        lay(tmp_path / folder, **{f"{i}.jpg": JPEG for i in range(3)})
    (tmp_path / "b" / "c" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "over").symlink_to(tmp_path / "b")
    assert len(names(tmp_path)) == 6
    assert len(names(tmp_path, "a/over")) == 6  # by way of the link that leads up


def test_links_are_followed_but_real_names_come_first(tmp_path: Path) -> None:
    lay(tmp_path / "pool", **{"1.jpg": JPEG, "2.jpg": JPEG})
    lay(tmp_path / "birds" / "z_real", **{"3.jpg": JPEG})
    (tmp_path / "birds" / "a_link").symlink_to(tmp_path / "birds" / "z_real")
    (tmp_path / "birds" / "jay").symlink_to(tmp_path / "pool")
    (tmp_path / "birds" / "4.jpg").symlink_to(tmp_path / "pool" / "1.jpg")
    found = walk([tmp_path / "birds"])
    here = [p.relative_to(tmp_path / "birds").as_posix() for p in found.photos]
    assert here == ["4.jpg", "jay/2.jpg", "z_real/3.jpg"]
    assert [(p.name, first.name) for p, first in found.again] == [
        ("a_link", "z_real"),
        ("1.jpg", "4.jpg"),
    ]


def test_a_second_name_of_a_file_counts_once(tmp_path: Path) -> None:
    lay(tmp_path / "a", **{"1.jpg": JPEG})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.jpg").hardlink_to(tmp_path / "a" / "1.jpg")
    assert names(tmp_path) == ["a/1.jpg"]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.symlink_to("nowhere"), "broken link"),
        (lambda path: path.symlink_to(path), "broken link"),
        (os.mkfifo, ".jpg"),
    ],
)
def test_what_would_block_or_fail_is_passed_over(
    tmp_path: Path, make: Callable[[Path], None], kind: str
) -> None:
    lay(tmp_path, **{"b.jpg": JPEG})
    make(tmp_path / "a.jpg")
    assert names(tmp_path) == ["b.jpg"]
    assert walk([tmp_path]).passed == {kind: 1}


@pytest.mark.skipif(os.getuid() == 0, reason="The administrator may open everything.")
def test_a_folder_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    lay(tmp_path / "a", **{"1.jpg": JPEG})
    (tmp_path / "a").chmod(0)
    try:
        assert walk([tmp_path]).passed == {"folder that cannot be opened": 1}
    finally:
        (tmp_path / "a").chmod(0o755)


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(JPEG)
    (tmp_path / os.fsdecode(b"caf\xe9.t\xe9")).write_bytes(b"")
    found = walk([tmp_path])
    assert [os.fsencode(p.name) for p in found.photos] == [b"caf\xe9.jpg"]
    assert found.passed == {"without an ending": 1}


NAMES = st.sampled_from(["a", "b", "c.jpg", "d.JPG", "e.txt", ".f.jpg", "__MACOSX", "g"])
PLACES = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
KINDS = st.sampled_from(["photo", "text", "folder", "link", "hard link"])


@settings(max_examples=300)
@given(st.lists(st.tuples(PLACES, KINDS, PLACES), max_size=12), st.lists(PLACES, max_size=3))
def test_any_tree(entries: list[tuple[str, str, str]], roots: list[str]) -> None:
    """Against brute force: real files below the roots, as the system resolves their names."""
    with TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "home"
        home.mkdir()
        for place, kind, other in entries:
            grow(home, home / place, kind, home / other)
        chosen = [home / root for root in roots if (home / root).exists()] or [home]
        found = walk(chosen)
        real = [identity(photo) for photo in found.photos]
        assert len(set(real)) == len(real)
        must, may = reachable(chosen)
        assert must <= set(real) <= must | may
        assert not any(
            part.startswith(".") or part == "__MACOSX"
            for photo in found.photos
            for part in photo.relative_to(home).parts
            if not any(photo == root or root in photo.parents for root in chosen if root != home)
        )


def grow(home: Path, path: Path, kind: str, other: Path) -> None:
    """One more entry in a tree, where there is place for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "folder":
            path.mkdir()
        elif os.path.lexists(path):
            return
        elif kind == "link":
            path.symlink_to(other)
        elif kind == "hard link":
            path.hardlink_to(other)
        else:
            path.write_bytes(JPEG if kind == "photo" else b"text")
    except OSError:
        pass  # a file in the way of a folder, a link into itself


def identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def reachable(roots: list[Path]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Photos that names without a hidden part lead to; and what is only called one, or was named.

    Whether the latter count hangs on the name under which a file is met first.
    """
    photos, called = set(), set()
    seen: set[Path] = set()
    todo = [(root, True) for root in roots]
    while todo:
        path, named = todo.pop()
        if not path.exists() or (not named and path.name in (".f.jpg", "__MACOSX")):
            continue
        real = path.resolve()
        if real.is_dir():
            if real not in seen:
                seen.add(real)
                todo += [(real / name, False) for name in os.listdir(real)]
        elif real.read_bytes() == JPEG:
            photos.add(identity(real))
        elif named or path.suffix.lower() == ".jpg":
            called.add(identity(real))
    return photos, called


def test_the_counts_add_up(tmp_path: Path) -> None:
    counts = Counter({".heic": 4, ".mov": 2, ".txt": 1})
    for ending, count in counts.items():
        lay(tmp_path / "a", **{f"{i}{ending}": HEIC for i in range(count)})
    found = walk([tmp_path])
    assert found.passed == counts
    assert found.said.startswith("7 files passed over: 4 .heic, 2 .mov, 1 .txt.  HEIC")
