"""The report: read strictly, written whole, merged section by section."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lafe.measure import records, report as reports
from lafe.measure.bootstrap import Interval
from lafe.measure.protocols import Curves, CurveSettings, Faithfulness, Protocols
from lafe.measure.provenance import Provenance
from lafe.measure.report import (
    REPORT,
    Accuracy,
    Evaluation,
    Report,
    ReportError,
    Training,
)

SHA, OTHER = "a" * 64, "b" * 64
SOURCE = Provenance("lafe evaluate tiny", "2026-01-02", {"torch": "9"}, "x")
EVALUATION = Evaluation(
    SOURCE, "test", 7, 2, {"full": Accuracy(0.5, 1.0, 0.25)}, Interval(0.5, 0.25, 0.75), (), (), ()
)
CURVES = Curves(SOURCE, "test", CurveSettings(SHA, ("D",)), {}, 3, 2, 0.5, 1, {"box": None}, {}, {})
FAITHFULNESS = Faithfulness(Protocols(curves=CURVES))
WHOLE = Report("tiny", SHA, EVALUATION, FAITHFULNESS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert reports.read(tmp_path, SHA) is None
    records.write(tmp_path / REPORT, WHOLE)
    assert reports.read(tmp_path, SHA) == WHOLE
    assert json.loads((tmp_path / REPORT).read_text())["evaluation"]["presets"]["full"] == {
        "top1": 0.5,
        "top5": 1.0,
        "ece": 0.25,
    }


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    reports.update(tmp_path, "tiny", SHA, faithfulness=FAITHFULNESS)
    assert reports.read(tmp_path, SHA) == Report("tiny", SHA, None, FAITHFULNESS)
    reports.update(tmp_path, "tiny", SHA, evaluation=EVALUATION)
    assert reports.read(tmp_path, SHA) == WHOLE
    again = replace(EVALUATION, photos=8)
    assert reports.update(tmp_path, "tiny", SHA, evaluation=again) == replace(
        WHOLE, evaluation=again
    )


def test_a_protocol_is_replaced_and_what_else_was_measured_stays(tmp_path: Path) -> None:
    reports.update(tmp_path, "tiny", SHA, evaluation=EVALUATION)
    assert reports.update_protocol(tmp_path, "tiny", SHA, curves=CURVES) == WHOLE
    more = replace(CURVES, photos=9)
    found = reports.update_protocol(tmp_path, "tiny", SHA, curves=more)
    assert found == reports.read(tmp_path, SHA)
    assert found == replace(WHOLE, faithfulness=Faithfulness(Protocols(curves=more)))
    found = reports.update_protocol(tmp_path, "tiny", OTHER, curves=CURVES)  # of other weights
    assert found == Report("tiny", OTHER, None, FAITHFULNESS)


def test_sections_of_other_weights_go(tmp_path: Path) -> None:
    reports.update(tmp_path, "tiny", OTHER, faithfulness=FAITHFULNESS)
    with pytest.raises(reports.StaleReportError, match=r"report\.json describes other weights"):
        reports.read(tmp_path, SHA)
    reports.check(tmp_path, SHA)  # new weights may be measured
    reports.update(tmp_path, "tiny", SHA, evaluation=EVALUATION)
    assert reports.read(tmp_path, SHA) == Report("tiny", SHA, EVALUATION)


def changed(*path: str | int, to: Any) -> Callable[[dict[str, Any]], Any]:
    """Put a value at a place of plain values."""

    def change(values: Any) -> Any:
        here = values
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = to
        return values

    return change


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda v: [v], "another type"),
    "nothing": (lambda v: None, "another type"),
    "empty": (lambda v: {}, "a field is missing"),
    "no hash": (
        lambda v: {k: x for k, x in v.items() if k != "sha256"},
        "missing at record.sha256",
    ),
    "unknown section": (lambda v: v | {"atention": {}}, "no field 'atention'"),
    "text for a number": (
        changed("evaluation", "presets", "full", "top1", to="0.5"),
        r"'0.5' is no float at record.evaluation.presets\['full'\].top1",
    ),
    "true for a number": (changed("evaluation", "photos", to=True), "'True' is no int"),
    "half a photo": (changed("evaluation", "photos", to=7.5), "'7.5' is no int"),
    "no number": (changed("evaluation", "top1_interval", "low", to=float("nan")), "'nan' is no"),
    "null for a text": (changed("evaluation", "split", to=None), "'None' is no str"),
    "a section of 0.1": (changed("faithfulness", to={"photos": 300}), "no field 'photos'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_report_is_refused_by_name_of_file_and_place(name: str, tmp_path: Path) -> None:
    file = tmp_path / REPORT
    records.write(file, WHOLE)
    change, words = BROKEN[name]
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    for use in (reports.read, reports.check):
        with pytest.raises(ReportError, match=words) as caught:
            use(tmp_path, SHA)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ReportError):  # nor is it lost in an update
        reports.update(tmp_path, "tiny", SHA, evaluation=EVALUATION)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    file = tmp_path / REPORT
    records.write(file, WHOLE)
    whole = file.read_bytes()
    for at in range(0, len(whole) - 2, 41):
        file.write_bytes(whole[:at])
        with pytest.raises(ReportError, match=r"report\.json"):
            reports.read(tmp_path, SHA)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b"{" + b'"a":{' * 50_000])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / REPORT).write_bytes(content)
    with pytest.raises(ReportError, match=r"report\.json"):
        reports.read(tmp_path, SHA)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / REPORT).mkdir()
    with pytest.raises(ReportError, match=r"report\.json"):
        reports.read(tmp_path, SHA)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    records.write(tmp_path / REPORT, WHOLE)
    bad = replace(EVALUATION, top1_interval=Interval(float("nan"), 0.0, 1.0))
    with pytest.raises(
        ReportError, match=r"'nan' is no float at record\.evaluation\.top1_interval"
    ):
        reports.update(tmp_path, "tiny", SHA, evaluation=bad)
    assert reports.read(tmp_path, SHA) == WHOLE


def test_training_is_the_run_s_and_its_hours_are_of_all_runs_before() -> None:
    card = {"photos": 90, "held_out": 10, "best_epoch": 3, "val_top1": 0.5, "hours": 1.5}
    assert Training.of(card) == Training(90, 10, 3, 1.5)
    first = {"hours": 0.25, "best_epoch": 6}
    second = {"hours": 0.5, "started_from": {"training": first}}
    assert Training.of(card | {"started_from": {"training": second}}) == Training(90, 10, 3, 2.25)
    assert Training.of({}) is None
