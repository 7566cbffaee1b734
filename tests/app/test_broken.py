"""One broken file among the operator's own is left out and logged; the pages go on."""

from __future__ import annotations

import json
import logging
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
from visiting import app, goes_to, picture, said, upload

from app import main, navigation
from app.state import models
from lafe.checkpoints import store

RESULT = {
    "sweep": "s", "variant": "lafe", "seed": 0, "source": {"command": "c", "date": "d"},
    "recipe": {
        "name": "n", "data": "folder", "backbone": "test_resnet", "input_size": 64, "resize": 64,
        "epochs": 1, "lr": 0.1,
    },
    "training": {"photos": 1, "held_out": 1, "best_epoch": 1, "hours": 1.0},
    "photos": 1, "classes": 2, "presets": {"full": {"top1": 0.5, "top5": 0.5, "ece": 0.1}},
}  # fmt: skip


@pytest.fixture
def own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the checkpoints, which nobody has looked at yet."""
    copy = Path(shutil.copytree(folder, tmp_path / "own"))
    monkeypatch.setattr(store, "folders", lambda: [copy])
    return copy


def with_title(file: Path, title: str) -> None:
    """Write another title, as JSON has it, into the card in a checkpoint's header."""
    data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    metadata = header["__metadata__"]
    metadata["card"] = metadata["card"].replace('"title": "Cars"', f'"title": "{title}"')
    assert title in metadata["card"]
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def broken(own: Path, kind: str) -> None:
    """Spoil the folder in some way."""
    another = own / "another"
    match kind:
        case "folder's name":
            name = os.fsencode(own) + b"/caf\xe9"
            shutil.copytree(own / "cars", os.fsdecode(name))
        case "title":
            shutil.copytree(own / "cars", another)
            with_title(another / store.WEIGHTS, "half of a smiley: \\ud83d")
        case "half a file":
            another.mkdir()
            (another / store.WEIGHTS).write_bytes((own / "cars" / store.WEIGHTS).read_bytes()[:99])
        case "report":
            (own / "birds" / "report.json").write_text('{"evaluation": {}}')
        case _:
            results = own / "results"
            results.mkdir()
            (results / "good.json").write_text(json.dumps(RESULT))
            bad = {
                "result without top-1": json.dumps(RESULT | {"presets": {}}).encode(),
                "result of no row": json.dumps(RESULT | {"variant": "other"}).encode(),
                "result that is no JSON": b"{",
                "result that is no text": b"\xff\xfe",
                "result that is deep": b"[" * 100_000,
            }[kind]
            (results / "bad.json").write_bytes(bad)


KINDS = [
    "folder's name", "title", "half a file", "report", "result without top-1", "result of no row",
    "result that is no JSON", "result that is no text", "result that is deep",
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names.")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_broken_is_left_out_and_logged(
    own: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken(own, kind)
    with caplog.at_level(logging.ERROR):
        at = upload(app(), ("owl.png", picture()))
        for page in ("report", "about", "compare"):
            goes_to(at, page)
            assert not at.exception, at.exception
            assert not at.error, said(at)
            assert list(at.pills(key="checkpoint").options) == ["Birds", "Cars"]
    assert len([r for r in caplog.records if "left out" in r.getMessage()]) == 1
    if kind.startswith("result"):
        assert [len(runs) for runs in models.sweeps().values()] == [1]


@pytest.mark.parametrize("part", ["sidebar", "page", "section"])
def test_parts_fail_apart(own: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    at = upload(app(), ("owl.png", picture()))
    if part == "sidebar":
        monkeypatch.setattr(main, "sidebar", fail)
        at.run()
        assert "Five likeliest" in said(at)
    elif part == "page":
        monkeypatch.setattr(navigation, "import_module", fail)
        at.run()
        assert "Five likeliest" not in said(at)
        assert at.sidebar.button
    else:
        monkeypatch.setattr(models, "sweeps", fail)
        goes_to(at, "report")
        assert "Nothing was measured" in at.info[0].value
    assert not at.exception
    assert len(at.error) == 1
    assert "it was logged" in said(at)
