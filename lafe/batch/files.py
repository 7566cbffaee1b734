"""Files of rows, CSV, JSON lines and Parquet: a cut leaves them usable, another run goes on.

Each says what made its rows, see :func:`lafe.batch.rows.made_by`: Parquet in its metadata under
``lafe``, CSV and JSON in a file of their own beside them, whose name ends in ``.run.json``.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from lafe.batch.rows import Row
from lafe.branches import EVERY_BRANCH
from lafe.errors import LafeError
from lafe.files import replacing, write_json

SHARD, SECONDS = 10_000, 60.0
"""The most rows of a Parquet shard, and the longest that rows wait for one: what a kill costs."""

_KEY = b"lafe"
SHARDS = "part-*.parquet"

Columns = Mapping[str, str]
"""The columns of rows and the kind of each, see :class:`lafe.batch.rows.Question`."""

Made = Mapping[str, Any]
"""All that decides rows."""


class ResumeError(LafeError):
    """Rows that cannot be gone on with; the message says why, and what to do."""


class RowFile(Protocol):
    """A place for rows."""

    def finished(self) -> set[str]:
        """The names of the photos whose rows are there; rows with an error are taken out.

        Raises:
            ResumeError: the rows are of another checkpoint or setting, or of another command.
        """

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""

    def close(self, whole: bool) -> None:
        """Keep what was written; ``whole`` if nothing was cut."""


class TextRows:
    """JSON lines or CSV in a file.  Rows are flushed as they come: a cut keeps what was done.

    What is replaced stays until there is a row.  Both are UTF-8; bytes of a file's name that are
    none become ``\\udcNN``, as Python and JSON escape them.
    """

    def __init__(
        self, kind: Literal["json", "csv"], file: Path, columns: Columns, made: Made, *, force: bool
    ) -> None:
        self.kind, self.file, self.columns, self.made = kind, file, columns, made
        replaced = force or (file.exists() and not file.is_file())
        self._mode: Literal["w", "x", "a"] = "w" if replaced else "x"
        self._out: TextIO | None = None

    @property
    def beside(self) -> Path:
        """The file that says what made the rows."""
        return self.file.with_name(f"{self.file.name}.run.json")

    def finished(self) -> set[str]:
        if not self.file.exists():
            return set()
        try:
            known = json.loads(self.beside.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ResumeError(
                f"{self.beside} is not there or not JSON, which says what made the rows of "
                f"{self.file}: start anew with --force."
            ) from None
        _require_same(self.file, known, self.made)
        done: set[str] = set()
        with (
            open(self.file, encoding="utf-8", errors="surrogateescape", newline="") as old,
            replacing(self.file) as draft,
            open(draft, "w", encoding="utf-8", errors="surrogateescape", newline="") as kept,
        ):
            for name, error, text in _json(old) if self.kind == "json" else _csv(old):
                if not error:
                    kept.write(text)
                    if name is not None:
                        done.add(name)
        self._mode = "a"
        return done

    def write(self, rows: Sequence[Row]) -> None:
        out = self._open()
        for row in rows:
            out.write(text_of(self.kind, row))
        out.flush()

    def close(self, whole: bool) -> None:
        if whole:
            self._open()  # without any row an empty file, not the old one
        if self._out is not None:
            self._out.close()

    def _open(self) -> TextIO:
        if self._out is None:
            self._out = out = open(  # noqa: SIM115  (close closes it)
                self.file, self._mode, encoding="utf-8", errors="backslashreplace", newline=""
            )
            if self._mode != "a":
                if self.file.is_file():
                    write_json(self.beside, self.made)
                if self.kind == "csv":
                    out.write(csv_line(header(self.columns)))
        return self._out


class ParquetRows:
    """Parquet: one file, or a folder of shards.

    A Parquet file cannot be read before it is whole, so rows go to shards; where one file is asked
    for they lie in ``FILE.parts`` until all are there and the file is written in one step.
    """

    def __init__(
        self, place: Path, columns: Columns, made: Made, *, sharded: bool, force: bool
    ) -> None:
        import pyarrow.parquet  # noqa: F401  (a package that is missing is said before the work)

        self.place, self.columns, self.made, self.sharded = place, columns, made, sharded
        self.folder = place if sharded else place.with_name(f"{place.name}.parts")
        self._rows: list[Row] = []
        self._remove = force or not sharded  # parts that nobody resumes are of a run that was cut
        self._next, self._since = 0, time.monotonic()

    def finished(self) -> set[str]:
        import pyarrow.compute as pc
        from pyarrow import parquet

        self._remove = False
        done: set[str] = set()
        for file in self._files():
            with parquet.ParquetFile(file) as old:
                metadata = old.schema_arrow.metadata or {}
                known = json.loads(metadata.get(_KEY, b"null"))
                if known is None:
                    raise ResumeError(f"{file} does not say what made it: start anew with --force.")
                _require_same(file, known, self.made)
                failed, names = False, set[str]()
                for batch in old.iter_batches(columns=["photo", "error"]):
                    good = batch.filter(pc.is_null(batch.column("error")))
                    failed |= len(good) < len(batch)
                    names.update(good.column("photo").to_pylist())
            if names & done:  # killed after the whole file was written, before its parts went
                file.unlink()
                continue
            done |= names
            if failed:
                self._join([file], file, lambda t: t.filter(pc.is_null(t.column("error"))))
        numbers = [int(file.stem.rpartition("-")[2]) for file in self.folder.glob(SHARDS)]
        self._next = max(numbers, default=-1) + 1
        return done

    def write(self, rows: Sequence[Row]) -> None:
        self._rows += rows
        if len(self._rows) >= SHARD or time.monotonic() - self._since > SECONDS:
            self._flush()

    def close(self, whole: bool) -> None:
        if self._rows or whole:
            self._flush()
        if whole and not self.sharded:
            self._join(self._files(), self.place)
            for file in self.folder.glob(SHARDS):
                file.unlink()
            with suppress(OSError):
                self.folder.rmdir()

    def _files(self) -> list[Path]:
        """The files that there are, the whole one first."""
        whole = [self.place] if not self.sharded and self.place.is_file() and self._keeps else []
        return [*whole, *sorted(self.folder.glob(SHARDS))]

    @property
    def _keeps(self) -> bool:
        """True if what an earlier run wrote is gone on with."""
        return not self._remove

    def _flush(self) -> None:
        from pyarrow import Table, parquet

        if self._remove and not self._next:
            for file in self.folder.glob(SHARDS):
                file.unlink()
        rows, self._rows, self._since = self._rows, [], time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        if rows or not self._files():
            table = Table.from_pylist([_encoded(row) for row in rows], schema=self._schema())
            with replacing(self.folder / f"part-{self._next:06}.parquet") as draft:
                parquet.write_table(table, draft)
            self._next += 1

    def _join(
        self, files: Iterable[Path], to: Path, keep: Callable[[Any], Any] = lambda table: table
    ) -> None:
        """Files after one another as one, without ever holding more than some of it."""
        import pyarrow as pa
        from pyarrow import parquet

        schema = self._schema()
        with replacing(to) as draft, parquet.ParquetWriter(draft, schema) as joined:
            for file in files:
                with parquet.ParquetFile(file) as old:
                    for batch in old.iter_batches():
                        joined.write_table(keep(pa.Table.from_batches([batch])).cast(schema))

    def _schema(self) -> Any:
        return arrow_schema(self.columns).with_metadata({_KEY: json.dumps(dict(self.made))})


def arrow_schema(columns: Columns) -> Any:
    """The columns as Arrow's types."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    kinds = {
        "text": text,
        "number": number,
        "flag": pa.bool_(),
        "top": pa.list_(pa.struct({"class": text, "probability": number})),
        "shapley": pa.struct({str(branch): number for branch in EVERY_BRANCH}),
        "flips": pa.list_(pa.struct({"without": text, "becomes": text, "probability": number})),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def key(name: str) -> str:
    """A photo's name as files of rows hold it: UTF-8, other bytes as ``\\udcNN``."""
    return name.encode("utf-8", "backslashreplace").decode()


def text_of(kind: Literal["json", "csv"], row: Row) -> str:
    """A row as a line."""
    if kind == "json":
        return json.dumps(row, ensure_ascii=False) + "\n"
    return csv_line(_flat(row).values())


def header(columns: Columns) -> list[str]:
    """The columns of a CSV file: Shapley values have one each."""
    found = []
    for name, kind in columns.items():
        branches = [f"{name}_{branch}" for branch in EVERY_BRANCH]
        found += branches if kind == "shapley" else [name]
    return found


def csv_line(cells: Iterable[object]) -> str:
    """A line of CSV."""
    line = _Line()
    csv.writer(line).writerow(cells)
    return line.text


class _Line:
    text = ""

    def write(self, text: str) -> None:
        self.text += text


def _flat(row: Row) -> Row:
    """One level of columns; a list is JSON."""
    flat: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{k}": v for k, v in value.items()}
        elif name == "shapley":
            flat |= {f"{name}_{branch}": None for branch in EVERY_BRANCH}
        else:
            is_list = isinstance(value, list)
            flat[name] = json.dumps(value, ensure_ascii=False) if is_list else value
    return flat


def _encoded(row: Row) -> Row:
    return row | {"photo": key(row["photo"])}


def _json(lines: TextIO) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it failed, and the line, of each row that is whole."""
    for line in lines:
        with suppress(ValueError, KeyError):  # the last line of a run that was killed
            row = json.loads(line)
            if line.endswith("\n"):
                yield key(row["photo"]), row["error"] is not None, line


def _csv(lines: TextIO) -> Iterator[tuple[str | None, bool, str]]:
    """Like :func:`_json`; the header is a row without a name."""
    read: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            read.append(line)
            yield line

    names: list[str] = []
    for cells in csv.reader(kept()):
        text = "".join(read)
        read.clear()
        if not names:
            names = cells
            yield None, False, text
        elif len(cells) == len(names) and text.endswith("\n"):
            row = dict(zip(names, cells, strict=True))
            yield row["photo"], bool(row["error"]), text


def _require_same(file: Path, known: Made, made: Made) -> None:
    """See that rows were made by the same; ResumeError names what differs."""
    wanted = json.loads(json.dumps(dict(made)))
    for name in wanted.keys() | known.keys():
        if known.get(name) != wanted.get(name):
            raise ResumeError(
                f"{file} cannot be resumed: its {name} is {known.get(name)!r}, not "
                f"{wanted.get(name)!r}.  Choose another file, or start anew with --force."
            )
