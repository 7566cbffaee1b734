"""Files of rows: odd names end none, a cut loses little, and nothing of another run is gone on."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from lafe.batch import files
from lafe.batch.files import ParquetRows, ResumeError, RowFile, TextRows
from lafe.batch.rows import Ablations, Predictions
from lafe.branches import EVERY_BRANCH

KINDS = ("json", "csv", "parquet", "shards")
COLUMNS = Predictions().columns
MADE = {"checkpoint": "0" * 64, "switches": "all"}


def row(name: str, error: str | None = None) -> dict[str, Any]:
    known = {"class": "Käuzchen", "true": "翠鳥", "probability": 0.5, "familiar": True}
    return dict.fromkeys(COLUMNS) | ({} if error else known) | {"photo": name, "error": error}


def opened(kind: str, place: Path, made: dict[str, Any] = MADE, *, force: bool = False) -> RowFile:
    if kind in ("json", "csv"):
        return TextRows(kind, place, COLUMNS, made, force=force)
    return ParquetRows(place, COLUMNS, made, sharded=kind == "shards", force=force)


def names(kind: str, place: Path) -> list[str]:
    if kind == "json":
        return [json.loads(line)["photo"] for line in place.read_text().splitlines()]
    if kind == "csv":
        return [r["photo"] for r in csv.DictReader(io.StringIO(place.read_text(), newline=""))]
    return parquet.read_table(place).column("photo").to_pylist()


@pytest.mark.parametrize("kind", KINDS)
def test_finished_rows_are_kept_and_failed_ones_are_tried_again(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    first = opened(kind, place)
    first.write([row("a"), row("b", "damaged"), row('c "1",\n.jpg')])
    first.close(whole=True)
    again = opened(kind, place)
    assert again.finished() == {"a", 'c "1",\n.jpg'}
    again.write([row("b"), row("d")])
    again.close(whole=True)
    assert names(kind, place) == ["a", 'c "1",\n.jpg', "b", "d"]
    third = opened(kind, place)
    assert len(third.finished()) == 4
    third.close(whole=True)
    assert len(names(kind, place)) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_keeps_what_was_done(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    first = opened(kind, place)
    first.write([row("a"), row("b")])
    first.close(whole=False)
    again = opened(kind, place)
    assert again.finished() == {"a", "b"}
    again.write([row("c")])
    again.close(whole=True)
    assert names(kind, place) == ["a", "b", "c"]
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "out.run.json"}


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_every_torn_end_is_dropped(kind: str, tmp_path: Path) -> None:
    """The last row cut at each of its bytes, one of them after a line's end inside of quotes."""
    place = tmp_path / "out"
    out = opened(kind, place)
    out.write([row("a"), row("b\n.jpg")])
    out.close(whole=True)
    whole = place.read_bytes()
    start = whole.rindex(b"b\n" if kind == "csv" else b"\n{") + (kind == "json")
    for cut in range(start, len(whole)):
        place.write_bytes(whole[:cut])
        assert opened(kind, place).finished() == {"a"}, whole[start:cut]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_another_setting_are_refused(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    out = opened(kind, place)
    out.write([row("a"), row("b", "damaged")])
    out.close(whole=True)
    for other in (MADE | {"switches": "none"}, MADE | {"more": 1}, {"checkpoint": "0" * 64}):
        with pytest.raises(ResumeError, match=r"cannot be resumed: its (switches|more) is"):
            opened(kind, place, other).finished()
    assert names(kind, place) == ["a", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_nobody_knows_the_maker_of_are_refused(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa

    place = tmp_path / "out"
    if kind in ("json", "csv"):
        place.write_text("photo,error\na,\n")
    else:
        (tmp_path / "out").mkdir() if kind == "shards" else None
        at = place / "part-000000.parquet" if kind == "shards" else place
        parquet.write_table(pa.table({"photo": ["a"], "error": [None]}), at)
    with pytest.raises(ResumeError, match="start anew with --force"):
        opened(kind, place).finished()


def test_parquet_is_written_in_shards_that_hold_some_rows_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SHARD", 2)
    out = opened("shards", tmp_path / "out")
    for name in "abcde":
        out.write([row(name)])
    out.close(whole=True)
    shards = sorted((tmp_path / "out").iterdir())
    assert [parquet.read_metadata(shard).num_rows for shard in shards] == [2, 2, 1]
    for shard in shards:
        assert json.loads(parquet.read_schema(shard).metadata[b"lafe"]) == MADE
    again = opened("shards", tmp_path / "out", force=True)
    again.write([row("z")])
    again.close(whole=True)
    assert names("shards", tmp_path / "out") == ["z"]


def test_a_run_that_is_forced_does_not_take_over_the_parts_of_a_cut_one(tmp_path: Path) -> None:
    cut = opened("parquet", tmp_path / "out")
    cut.write([row("old")])
    cut.close(whole=False)
    out = opened("parquet", tmp_path / "out", force=True)
    out.write([row("new")])
    out.close(whole=True)
    assert names("parquet", tmp_path / "out") == ["new"]


def test_a_kill_after_the_whole_file_is_written_doubles_no_row(tmp_path: Path) -> None:
    place = tmp_path / "out"
    out = opened("parquet", place)
    out.write([row("a"), row("b", "damaged")])
    out.close(whole=False)
    parts = tmp_path / "out.parts"
    shutil.copytree(parts, tmp_path / "kept")
    again = opened("parquet", place)
    again.finished()
    again.write([row("c")])
    again.close(whole=True)
    (tmp_path / "kept").rename(parts)  # the kill left them
    third = opened("parquet", place)
    assert third.finished() == {"a", "c"}
    third.write([row("b")])
    third.close(whole=True)
    assert names("parquet", place) == ["a", "c", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_and_nulls_are_the_same_in_every_file(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    out = opened(kind, place)
    out.write([row("a"), row("b", "damaged")])
    out.close(whole=True)
    if kind == "json":
        found = [json.loads(line) for line in place.read_text().splitlines()]
    elif kind == "csv":
        found = [
            {k: v or None for k, v in r.items()}
            for r in csv.DictReader(io.StringIO(place.read_text(), newline=""))
        ]
        found[0] |= {"probability": float(found[0]["probability"]), "familiar": True}
    else:
        found = parquet.read_table(place).to_pylist()
    assert found == [row("a"), row("b", "damaged")]
    assert list(found[0]) == [
        *("photo", "true", "switches", "class", "probability", "familiar", "error")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_are_no_utf_8_end_no_file(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    name = os.fsdecode(b"caf\xe9.jpg")
    out = opened(kind, place)
    out.write([row(name)])
    out.close(whole=True)
    expected = name if kind == "json" else "caf\\udce9.jpg"
    assert names(kind, place) == [expected]
    assert opened(kind, place).finished() == {files.key(name)}


def test_what_is_replaced_stays_until_there_is_a_row(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("old")
    for kind in ("json", "csv", "parquet"):
        opened(kind, file, force=True).close(whole=False)
        assert file.read_text() == "old"
    opened("json", file, force=True).close(whole=True)
    assert file.read_text() == ""


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = opened("json", tmp_path / "out")
    (tmp_path / "out").write_text("another command's")
    with pytest.raises(FileExistsError):
        out.write([row("a")])


def test_shapley_values_have_columns_of_their_own_in_csv(tmp_path: Path) -> None:
    question = Ablations()
    out = TextRows("csv", tmp_path / "out", question.columns, MADE, force=False)
    worth = {str(branch): i / 8 for i, branch in enumerate(EVERY_BRANCH)}
    flips = [{"without": "c_dis5", "becomes": "Jay", "probability": 0.5}]
    nothing = dict.fromkeys(question.columns)
    out.write([nothing | {"photo": "a", "shapley": worth, "flips": flips}])
    out.write([nothing | {"photo": "b", "error": "damaged"}])
    out.close(whole=True)
    a, b = csv.DictReader(io.StringIO((tmp_path / "out").read_text(), newline=""))
    assert [float(a[f"shapley_{branch}"]) for branch in EVERY_BRANCH] == list(worth.values())
    assert json.loads(a["flips"]) == flips
    assert (b["shapley_r_dis3"], b["flips"], b["error"]) == ("", "", "damaged")
