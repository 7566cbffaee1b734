"""What the bench counts and how its sides take turns; no time is asserted."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import SIZE, tiny_model

from lafe.measure import bench, records


def test_multiplications_by_hand() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert bench.multiplications(lambda: a @ b) == 3 * 5 * 7
    conv = torch.nn.Conv2d(4, 6, 3)
    x = torch.ones(1, 4, 10, 10)
    assert bench.multiplications(lambda: conv(x)) == 8 * 8 * 6 * 4 * 9


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("inside", [False, True])
def test_multiplications_there_and_back(groups: int, inside: bool) -> None:
    conv = torch.nn.Conv2d(4, 8, 3, groups=groups)
    x = torch.ones(1, 4, 10, 10, requires_grad=inside)  # if so, its gradient is computed too
    there = 8 * 8 * 8 * (4 // groups) * 9
    found = bench.multiplications(lambda: conv(x).sum().backward())
    assert found == (3 if inside else 2) * there


def test_sides_take_turns_and_medians_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seen = [0.0], []
    durations = {"a": iter([9.0, 2.0, 3.0, 4.0]), "b": iter([9.0, 1.0, 1.5, 30.0])}
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])

    def side(name: str) -> bench.Side:
        def run() -> None:
            seen.append(name)
            now[0] += next(durations[name])
            torch.ones(1, 4) @ torch.ones(4, 6 if name == "a" else 2)

        return run

    row = bench.measure(bench.Pair("a", "b", side("a"), side("b"), 1.0, 3))
    assert "".join(seen) == "ab" + "ab" + "ba" + "ab"  # counting comes first
    assert row.ratio == 3.0 / 1.5
    assert row.floor == 3
    assert row.seconds == (3.0, 1.5)


def test_every_row_of_a_tiny_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torchcam")
    monkeypatch.setattr(bench, "available", dict)
    monkeypatch.setattr(bench, "SAMPLES", 2)
    monkeypatch.setattr(bench, "BATCH", 4)
    monkeypatch.setattr(bench, "peak_memory", lambda make: None)
    monkeypatch.setattr(bench, "compiled", partial(bench.compiled, backend="eager"))
    report = bench.run("test_resnet", SIZE, tmp_path / "bench.json", repeats=1)
    (model,) = report.models.values()
    floors = [row.floor for row in model.rows]
    assert records.read(tmp_path / "bench.json", bench.Speed) == report
    assert floors[0] > 1  # LAFE is its backbone and more
    assert floors[3] == 0  # a look-up multiplies nothing
    # 128 fusions are less work than 25 passes, and a prepared photo saves the backbone.
    assert floors[2] == pytest.approx(floors[1] / (2 * 12 + 1))
    assert floors[4] == pytest.approx(1 - 1 / floors[0], abs=0.02)
    evidence = [row.floor for row in model.rows if row.work.startswith("evidence")]
    assert len(set(evidence)) == 1  # compiled or not, it multiplies the same
    printed = capsys.readouterr().out
    assert all(row.work in printed for row in model.rows)


def test_peak_memory_is_what_the_table_takes_at_its_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "factorial", lambda photo: torch.ones(75_000_000).sum())
    found = bench._peak_memory(tiny_model, torch.get_num_threads())
    assert found is None or found == pytest.approx(0.3, abs=0.05)
