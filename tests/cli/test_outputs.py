"""Outputs are tried before the work, nothing is replaced unasked, and odd names end no batch."""

import argparse
import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lafe.cli.outputs import OutputError, printable, require_file, require_folder, rows_to

ROW = {"photo": os.fsdecode(b"caf\xe9.jpg"), "true": "翠鳥", "A": {"class": "Käuzchen", "p": 0.5}}


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"json": None, "csv": None, "force": False} | given)


def line(row: dict[str, Any]) -> str:
    return f"{row['photo']}: {row['true']}"


@pytest.mark.parametrize("force", [False, True])
def test_a_file_s_folder_is_made(tmp_path: Path, force: bool) -> None:
    require_file(tmp_path / "a" / "b" / "out.csv", force)
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_no_file(tmp_path: Path, force: bool) -> None:
    with pytest.raises(OutputError, match="is a folder: name a file in it"):
        require_file(tmp_path, force)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="file is a file: name a folder"):
        require_folder(tmp_path / "file", (), force)
    for place in ("file/out.csv", "file/more/out.csv"):
        with pytest.raises(OutputError, match="cannot be written to: "):
            require_file(tmp_path / place, force)
    assert (tmp_path / "file").read_text() == "kept"


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("kept")
    with pytest.raises(OutputError, match=r"out\.csv is there already"):
        require_file(tmp_path / "out.csv", force=False)
    with pytest.raises(OutputError, match=r"out\.csv is there already"):
        require_folder(tmp_path, ("new.csv", "out.csv"), force=False)
    require_folder(tmp_path, ("new.csv",), force=False)
    require_file(tmp_path / "out.csv", force=True)
    require_folder(tmp_path, ("out.csv",), force=True)
    assert (tmp_path / "out.csv").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.skipif(os.getuid() == 0, reason="The administrator may write everywhere.")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to: Permission denied"):
        require_file(tmp_path / "out.csv", force=False)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not Linux")
def test_devices_and_pipes_may_be_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        assert require_file(path, force=False) == path
    with rows_to(options(json="/dev/null"), line) as write:
        write(ROW)


def test_a_full_disk_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: full)
    with pytest.raises(OutputError, match="No space left on device"):
        require_file(tmp_path / "out.csv", force=False)


def test_json_is_utf_8_whatever_the_names(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with rows_to(options(json=str(file)), line) as write:
        write(ROW)
        write(ROW | {"photo": "a\nb.jpg"})
    first, second = file.read_bytes().decode("utf-8").splitlines()
    assert json.loads(first) == ROW
    assert "翠鳥" in first
    assert os.fsencode(json.loads(first)["photo"]) == b"caf\xe9.jpg"
    assert json.loads(second)["photo"] == "a\nb.jpg"


def test_csv_is_utf_8_whatever_the_names(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    with rows_to(options(csv=str(file)), line) as write:
        write(ROW)
        write(ROW | {"photo": 'a "b", c.jpg'})
    text = file.read_bytes().decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["photo"] for row in rows] == ["caf\\udce9.jpg", 'a "b", c.jpg']
    assert rows[0]["true"] == "翠鳥"
    assert rows[0]["A_class"] == "Käuzchen"


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_stdout_is_utf_8_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    with rows_to(options(**{kind: "-"}), line) as write:
        write(ROW)
    assert "翠鳥" in terminal.buffer.getvalue().decode("utf-8")


def test_what_is_replaced_stays_until_there_is_a_row(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    file.write_text("old")
    with (
        pytest.raises(RuntimeError, match="no model"),
        rows_to(options(json=str(file), force=True), line),
    ):
        raise RuntimeError("no model")
    assert file.read_text() == "old"
    with rows_to(options(json=str(file), force=True), line):
        pass
    assert file.read_text() == ""  # no photo could be read: the old rows are of others


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with rows_to(options(json=str(file)), line) as write:
        file.write_text("another command's")
        with pytest.raises(FileExistsError):
            write(ROW)
        file.unlink()


def test_a_cut_keeps_what_was_done(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with rows_to(options(json=str(file)), line) as write:
        write(ROW)
        assert len(file.read_text().splitlines()) == 1


def test_sentences_are_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    with rows_to(options(), line) as write:
        write(ROW | {"photo": "a\x1b[2Jb\n.jpg"})
    assert capsys.readouterr().out == "a\\x1b[2Jb\\n.jpg: 翠鳥\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Käuzchen 翠鳥 5 %", "Käuzchen 翠鳥 5 %"),
        (os.fsdecode(b"\xff"), "\\udcff"),
        ("a\rb\tc", "a\\rb\\tc"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj", "\\u202egpj"),
    ],
)
def test_what_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
