"""Docs that run or are built: the notebook, and the reference from the docstrings."""

from __future__ import annotations

import inspect
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_architecture import FILES

import lafe

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "tour.ipynb"


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert [c for c in cells if c.get("outputs") or c.get("execution_count")] == []
    assert NOTEBOOK.stat().st_size < 20_000


def test_the_notebook_runs_and_shows_tables_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    captions = ("Birds", "The photo", "Evidence", "4,096 settings", "grad-cam-f5", "A pass of 1")
    for caption in captions:
        assert any(caption in table for table in tables), caption
    pictures = sum("image/png" in data for data in shown)
    assert pictures == 3  # the picture, a map over it, numbered places


def test_the_reference_has_every_module_and_every_public_name(tmp_path: Path) -> None:
    from api import build

    build(tmp_path)
    for module in FILES:
        if module.split(".")[0] == "lafe":
            assert (tmp_path / f"{module.replace('.', '/')}.html").is_file(), module
    start = unescape((tmp_path / "lafe.html").read_text(encoding="utf-8"))
    for name in lafe.__all__:
        assert f'id="{name}"' in start, name
        public = getattr(lafe, name)
        if inspect.isfunction(public) and public.__doc__:
            first = public.__doc__.split(".")[0].split(",")[0].split(":")[0]
            assert first.split("`")[0].strip() in start, name
