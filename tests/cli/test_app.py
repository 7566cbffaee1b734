"""``lafe app`` starts the app that comes with the package, and tells it of folders."""

import os
from pathlib import Path
from typing import Any

import pytest

from lafe.beside import beside
from lafe.cli.app import script
from lafe.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Streamlit was asked to run."""
    calls: list[list[str]] = []

    def run(args: list[str], **_: Any) -> None:
        calls.append(args)

    monkeypatch.setattr("streamlit.web.cli.main", run)
    return calls


def test_a_checkout_runs_its_own_app(started: list[list[str]]) -> None:
    assert main(["app", "--port", "8600"]) == 0
    [[verb, file, *flags]] = started
    assert (verb, Path(file)) == ("run", ROOT / "streamlit_app.py")
    assert "--server.address=localhost" in flags  # nobody else may come, unless asked for
    assert "--server.port=8600" in flags


def test_folders_are_told(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAFE_CHECKPOINTS", "before")
    monkeypatch.setenv("LAFE_DATA", "before")
    assert main(["app", "--checkpoints", str(tmp_path), "--data", str(tmp_path)]) == 0
    assert os.environ["LAFE_CHECKPOINTS"] == f"{tmp_path}{os.pathsep}before"
    assert os.environ["LAFE_DATA"] == str(tmp_path)


@pytest.mark.parametrize("option", ["--checkpoints", "--data"])
def test_a_folder_that_is_none(
    option: str, started: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", option, str(tmp_path / "nothing")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert not started


def test_where_it_is_installed_names_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lafe.beside._PARENT", tmp_path)
    assert beside("checkpoints") == tmp_path / "checkpoints"
    assert script() == tmp_path / "streamlit_app.py"
    for name in ("lafe_app", "lafe_checkpoints"):
        (tmp_path / name).mkdir()
    assert beside("checkpoints") == tmp_path / "lafe_checkpoints"
    assert script() == tmp_path / "lafe_app" / "installed" / "streamlit_app.py"
