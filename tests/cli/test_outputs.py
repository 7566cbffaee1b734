"""Outputs are tried before the work, nothing is replaced unasked, and odd names end no batch."""

import os
from pathlib import Path

import pytest

from lafe.cli.outputs import OutputError, printable, require_file, require_folder


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


def test_a_full_disk_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: full)
    with pytest.raises(OutputError, match="No space left on device"):
        require_file(tmp_path / "out.csv", force=False)


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
