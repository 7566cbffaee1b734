"""A folder is measured next to the forward pass, and what is written can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tiny import tiny_model

from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.measure import records, throughput
from lafe.measure.throughput import Throughput


def test_a_folder_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "SIZES", (1, 2))
    folder = save(tiny_model(), tmp_path / "tiny", list("abcde"))
    for i in range(4):
        Image.effect_noise((50, 60), 40 + i).convert("RGB").save(tmp_path / f"{i}.png")
    out = tmp_path / "throughput.json"
    args = ["bench", "--folder", str(tmp_path), "--checkpoint", str(folder), "--out", str(out)]
    assert main([*args, "--photos", "3", "--device", "cpu"]) == 0
    found = records.read(out, Throughput)
    assert (found.photos, found.checkpoint, found.ray) == (3, "tiny", None)
    assert set(found.forward) == {"1", "2"}
    assert found.best_batch == max((1, 2), key=lambda size: found.forward[str(size)])
    assert 0 <= found.bf16_changed <= 1
    assert "predict / forward" in capsys.readouterr().out


def test_the_docs_have_the_figures_of_the_file() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    found = records.read(docs / "throughput.json", Throughput)
    readme, scale = ((docs / name).read_text() for name in ("../README.md", "scale.md"))
    for figure in (found.predict, found.bf16):
        assert f"{figure:.2f}" in readme
    for figure in (found.predict, found.bf16, found.versus, found.workers["0"]):
        assert f"{figure:.2f}" in scale
    assert f"{found.photos} photos" in scale
