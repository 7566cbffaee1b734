"""A cut at any moment leaves the old file or the new one."""

from __future__ import annotations

import os
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
