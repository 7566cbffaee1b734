"""A cut at any moment leaves the old file or the new one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lafe import files


@pytest.mark.parametrize("step", ["write", "_to_disk", "replace"])
def test_whatever_step_fails_the_old_file_stays_and_no_draft_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = tmp_path / "folder" / "card.json"
    files.write_json(file, {"old": "ß"})
    assert file.read_text(encoding="utf-8") == '{\n "old": "ß"\n}\n'

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    def half(self: Path, content: bytes) -> None:
        with self.open("wb") as stream:
            stream.write(content[: len(content) // 2])
        fail()

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(Path, "write_bytes", half)
        else:
            patch.setattr(files if step == "_to_disk" else os, step, fail)
        with pytest.raises(OSError, match="no space"):
            files.write_json(file, {"new": 1})
    assert file.read_text(encoding="utf-8") == '{\n "old": "ß"\n}\n'
    assert [p.name for p in file.parent.iterdir()] == ["card.json"]


def test_two_writers_never_share_a_draft(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with files.replacing(file) as one, files.replacing(file) as two:
        assert one != two
        assert one.parent == two.parent == tmp_path
        one.write_text("one")
        two.write_text("two")
    assert file.read_text() == "one"  # the one that ended last
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_drafts_of_killed_writers_are_removed_by_the_next_one(tmp_path: Path) -> None:
    def draft(name: str, age: float) -> Path:
        file = tmp_path / name
        file.write_text("half")
        os.utime(file, (time.time() - age, time.time() - age))
        return file

    old = draft(".card.json.0123456789ab.part", files.STALE_SECONDS + 60)
    others = [
        draft(".card.json.ba9876543210.part", 3600),  # of one who is still at work
        draft(".other.json.0123456789ab.part", files.STALE_SECONDS + 60),
        draft("card.json.part", files.STALE_SECONDS + 60),
        draft(".card.json.notes.part", files.STALE_SECONDS + 60),
    ]
    files.write_json(tmp_path / "card.json", {})
    assert not old.exists()
    assert all(file.read_text() == "half" for file in others)


def test_pipes_and_devices_are_written_to_and_links_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "file.json")
    for text in ("one", "two"):
        files.write_text(link, text)
        assert (tmp_path / "real" / "file.json").read_text() == text
    assert link.is_symlink()


def test_a_file_has_the_mode_that_the_user_gave_it(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    before = os.umask(0o027)
    try:
        files.write_bytes(file, b"1")
        assert file.stat().st_mode & 0o777 == 0o640
        file.chmod(0o604)
        files.write_bytes(file, b"2")
        assert file.stat().st_mode & 0o777 == 0o604
    finally:
        os.umask(before)
