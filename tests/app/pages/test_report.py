"""The page "Report": its figures are those of the files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from tiny import tiny_model
from visiting import SCRIPT, goes_to

from app.figures import report as report_figures
from app.state import models
from lafe.branches import EVERY_BRANCH
from lafe.checkpoints import store
from lafe.measure import records, report as reports, sweep
from lafe.measure.faithfulness import protocols
from lafe.measure.protocols import Faithfulness

ROOT = Path(__file__).parents[3]
REPORTS = sorted((ROOT / "checkpoints").glob("*/report.json"))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.chdir(ROOT)
    at = AppTest.from_file(str(SCRIPT), default_timeout=120).run()
    return goes_to(at, "report")


def read(file: Path) -> reports.Report:
    found = reports.read(file.parent, store.load_card(file.parent).sha256)
    assert found is not None
    return found


@pytest.mark.skipif(not REPORTS, reason="no checkpoint was measured yet")
def test_every_checkpoint_has_its_figures(page: AppTest) -> None:
    for file in REPORTS:
        report = read(file)
        page.selectbox(key="report-model").set_value(file.parent.name).run()
        assert not page.exception
        text = " ".join([m.value for m in page.markdown] + [c.value for c in page.caption])
        assert f"`checkpoints/{file.parent.name}/report.json`" in text
        if evaluation := report.evaluation:
            assert page.metric[0].value == f"{evaluation.presets['full'].top1:.1%}"
            assert evaluation.top1_interval.percent() in text
            assert evaluation.source.command in text
            if against := evaluation.against_plain:
                assert against.difference.percent(sign=True) in text
        cells = [cell for table in page.table for row in table.value.values for cell in row]
        if attends := report.attention:
            for stand_in in attends.stand_ins.values():
                assert stand_in.cost.percent(sign=True) in cells
            for likeness in (*attends.maps.values(), *attends.randomised.values()):
                assert likeness.top_fifth is not None
                assert f"{likeness.top_fifth.mean:.3f}" in cells
        tables = [{name: list(d.value[name]) for name in d.value} for d in page.dataframe]
        for _, findings in protocols.findings(report.faithfulness or Faithfulness()):
            assert findings.source.command in text
            assert all(dict(table.columns) in tables for table in findings.tables)


@pytest.mark.skipif(not REPORTS, reason="no checkpoint was measured yet")
def test_the_worth_of_branches_class_by_class(page: AppTest) -> None:
    for file in REPORTS:
        evaluation = read(file).evaluation
        if evaluation is None or evaluation.switching is None:
            continue
        shapley = evaluation.switching.shapley
        classes = store.load_card(file.parent).classes
        name = file.parent.name
        page.selectbox(key="report-model").set_value(name).run()

        def grid() -> list[list[float]]:
            charts = [c.proto for c in page.get("plotly_chart")]
            (one,) = (c.spec for c in charts if c.alt.startswith("Mean Shapley"))
            return json.loads(one)["data"][0]["z"]

        def points(values: reports.Grid) -> list[Any]:
            return [pytest.approx([100 * v for v in row], abs=1e-4) for row in values]

        assert grid() == points(shapley.mean)
        page.selectbox(key=f"worth-{name}").set_value(len(classes) - 1).run()
        assert grid() == points(shapley.by_class[-1])
        assert classes[-1] in " ".join(c.value for c in page.caption)


def test_a_report_that_cannot_be_used_is_left_out_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    store.save(tiny_model(), tmp_path / "mine", [str(k) for k in range(5)])
    assert models.report("mine") is None
    assert not caplog.records
    known = reports.Report("mine", store.load_card(tmp_path / "mine").sha256)
    file = tmp_path / "mine" / "report.json"
    records.write(file, known)
    assert models.report("mine") == known
    whole = file.read_text()
    others = whole.replace(known.sha256, "0" * 64)
    for moment, broken in enumerate((whole[:40], others, "[]")):
        file.write_text(broken)
        os.utime(file, ns=(0, moment))  # two files of one moment are one to the cache
        caplog.clear()
        assert models.report("mine") is None
        assert str(file) in caplog.text


def test_a_result_that_cannot_be_read_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    given = sorted((ROOT / "checkpoints" / "results").glob("*.json"))[:2]
    (tmp_path / "results").mkdir()
    cut = tmp_path / "results" / "a.json"
    cut.write_bytes(given[0].read_bytes()[:99])
    (tmp_path / "results" / "b.json").write_bytes(given[1].read_bytes())
    assert models.sweeps() == sweep.by_sweep([sweep.read(given[1])])
    assert str(cut) in caplog.text


def test_what_is_lost_without_a_branch_is_a_difference() -> None:
    names = [str(branch) for branch in EVERY_BRANCH]
    top1 = {name: 0.5 + i / 100 for i, name in enumerate(names)}
    bars = report_figures.without_each(top1, 0.55).data[0]
    assert bars.x == pytest.approx([i - 5 for i in range(12)])
    assert list(bars.y) == names


def test_table_4_shows_every_seed_and_the_mean() -> None:
    rows = [sweep.Row("lafe", (0.6, 0.7), (0, 1), 1.0), sweep.Row("plain", (0.5,), (0,), 0.5)]
    *seeds, means = report_figures.table_four(rows, sweep.ROWS).data
    assert [list(s.x) for s in seeds] == [pytest.approx([60, 70]), pytest.approx([50])]
    assert list(means.x) == pytest.approx([65, 50])
    assert list(means.y) == ["LAFE", "plain backbone"]


def test_bins_are_placed_by_confidence_and_accuracy() -> None:
    bins = [reports.Bin(4, 0.2, 0.25), reports.Bin(16, 0.9, 0.5)]
    dots = report_figures.reliability(bins).data[1]
    assert (list(dots.x), list(dots.y)) == ([0.2, 0.9], [0.25, 0.5])
    areas = torch.tensor(dots.marker.size) - 6
    assert float(areas[1] / areas[0]) == pytest.approx(2)  # four times the photos
