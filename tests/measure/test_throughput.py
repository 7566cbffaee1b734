"""A folder is measured next to the forward pass, and what is written can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tiny import tiny_model

from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.measure import records, scaling, tables, throughput
from lafe.measure.markdown import between_markers
from lafe.measure.scaling import TrainingRun, TrainingScale
from lafe.measure.throughput import OnRay, Throughput


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


def test_pages_have_the_figures_of_the_files() -> None:
    root = Path(__file__).resolve().parents[2]
    readme, scale = ((root / name).read_text() for name in ("README.md", "docs/scale.md"))
    assert readme == between_markers(readme, scaling.sentence(root), "speed"), "lafe results"
    for part, render in tables.PARTS.items():
        assert scale == between_markers(scale, render(root), part, "scale.md"), "lafe results"


def test_costs_and_slopes_are_worked_out_by_hand(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    found = replace(
        records.read(root / scaling.SPEED, Throughput),
        forward={"1": 8.0, "2": 10.0}, best_batch=2, predict=0.9, written=45_000.0,
        ray=OnRay(2, 64, 1.5, 20.0),
    )  # fmt: skip
    records.write(tmp_path / scaling.SPEED, found)
    said = scaling.cost(tmp_path)
    assert "a photo takes 111 ms" in said
    assert "each has 0.75 of the rate" in said
    for row in ("| 1 | 30.9 | 31 |", "| 2 | 20.6 | 41 |", "| 16 | 2.6 | 41 |"):
        assert row in said  # 1e6 / 9 / 3600 = 30.86 hours of one core, over 0.75 with Ray
    assert "5,000 such workers" in said
    runs = (
        TrainingRun(2_000, 200, 3.0, 0.04, 100.0),
        TrainingRun(20_000, 200, 12.0, 0.04, 190.0),
        TrainingRun(20_000, 2_000, 13.8, 0.058, 208.0),
    )
    records.write(
        tmp_path / scaling.GROWTH, TrainingScale("x86_64", "2", 1.0, "tiny", 36, 16, runs)
    )
    said = scaling.growth(tmp_path)
    assert "further thousand photos: +0.50 s until the first step and +5.0 MB" in said
    assert "decoded photos are 3.9" in said
    assert "further thousand classes: +1.00 s, +10.0 MB and +10.0 ms a step" in said
