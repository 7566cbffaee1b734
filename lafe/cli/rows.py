"""The commands `lafe predict`, `ablate` and `explain --each`: photos in, a row each out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

import torch
from PIL.Image import Image
from torch import Tensor
from tqdm import tqdm

from lafe.batch.ahead import batches, read_ahead
from lafe.batch.files import (
    SHARDS,
    Made,
    ParquetRows,
    RowFile,
    TextRows,
    csv_line,
    header,
    key,
    text_of,
)
from lafe.batch.jobs import Job, jobs
from lafe.batch.look import BATCH, WORKERS
from lafe.batch.maps import PATTERN, Beside, MapShards
from lafe.batch.on_ray import Actors, said_on_ray, start, stop
from lafe.batch.rows import (
    Ablations,
    Explanations,
    Predictions,
    Question,
    Row,
    Said,
    made_by,
    rows,
)
from lafe.batch.tally import Tally
from lafe.checkpoints.hub import is_on_hub
from lafe.checkpoints.store import load, load_card, locate
from lafe.checkpoints.trained import Trained
from lafe.cli.outputs import OutputError, printable, require_file, require_folder
from lafe.data.photo import WHOLE, Box, crop

NOT_CALIBRATED = (
    "lafe: this model's probabilities are not calibrated: they say which class is likelier, not "
    "how often it is right.  `lafe evaluate` calibrates a model."
)
EACH = "photos.csv"
"""The rows of `lafe explain --each`, in its folder."""

Line = Callable[[Row], str]
"""A row as a sentence for people."""


def predict(args: argparse.Namespace) -> int:
    """One row a photo: the class under setting A and, if given, B."""
    tally = Tally()
    question = Predictions(
        args.switches,
        args.versus,
        tuple(args.among or ()),
        args.top,
        args.table,
        args.maps is not None,
        args.precision,
    )

    def line(row: Row) -> str:
        doubt = " (looks like nothing this model knows)" if row["familiar"] is False else ""
        said = f"{row['photo']}: {_named(row['class'], row['probability'])}{doubt}"
        if args.versus is not None:
            said += f" | {_named(row['b_class'], row['b_probability'])}"
        if args.top is not None:
            said += f" ({', '.join(_named(t['class'], t['probability']) for t in row['top'])})"
        return f"{said}; {_worth(row)}" if args.table else said

    def count(row: Row) -> None:
        tally.add(row["true"], row["class"], row.get("b_class"))

    _require_outputs(args)
    rows_to = partial(_row_file, args, question, line)
    status = _each(args, question, rows_to, _map_shards(args), count)
    for text in tally.lines(args.versus is not None):
        print(text, file=sys.stderr if "-" in (args.json, args.csv) else sys.stdout)
    return status


def ablate(args: argparse.Namespace) -> int:
    """One row a photo: Shapley values of the branches, and the smallest flips."""

    def line(row: Row) -> str:
        return f"{row['photo']}: {row['class']} ({row['output']}): {_worth(row)}"

    _require_outputs(args)
    question = Ablations(args.output, args.precision)
    return _each(args, question, partial(_row_file, args, question, line))


def explain(args: argparse.Namespace) -> int:
    """A folder of files for each photo, and a row that names it."""
    from lafe.batch.folders import PhotoFolders  # needs matplotlib, which other rows do not

    question = Explanations(tuple(args.switches), tuple(args.crop))
    file = args.out / EACH
    _require_one_way(args)
    require_file(file, args.force or args.resume)

    def rows_to(made: Made) -> RowFile:
        return TextRows("csv", file, question.columns, made, force=args.force)

    status = _each(args, question, rows_to, PhotoFolders(args.out, question), box=question.box)
    print(f"{file}: a row a photo, which names the folder of its files.")
    return status


def _named(name: str, probability: float) -> str:
    return f"{name} {100 * probability:.1f} %"


def _worth(row: Row) -> str:
    most = sorted(row["shapley"].items(), key=lambda item: -abs(item[1]))[:3]
    worth = ", ".join(f"{name} {value:+.3f}" for name, value in most)
    if not row["flips"]:
        return f"{worth}; no setting changes it"
    flip = row["flips"][0]
    return f"{worth}; without {flip['without']} it becomes {flip['becomes']}"


def _each(
    args: argparse.Namespace,
    question: Question,
    rows_to: Callable[[Made], RowFile],
    beside: Beside | None = None,
    count: Callable[[Row], None] = lambda _: None,
    box: Box = WHOLE,
) -> int:
    """Look at every photo, write each row as soon as it is there; 1 if any could not be read."""
    found = jobs(args.photos, load_card(args.checkpoint))
    if found.said:
        print(f"lafe: {found.said}", file=sys.stderr)
    model = load(args.checkpoint, args.device).to(memory_format=torch.channels_last)
    if model.temperatures is None:
        print(NOT_CALIBRATED, file=sys.stderr)
    out = rows_to(made_by(model, question))
    done = out.finished() if args.resume else set()
    todo = [job for job in found.todo if key(job.name) not in done]
    if done:
        print(f"lafe: {len(done)} photos were done before.", file=sys.stderr)
    failed = 0
    with ExitStack() as stack:
        if args.ray is not None:
            start(args.ray)
            stack.callback(stop)
        write = stack.enter_context(_Writer(out, beside))
        photos = _looked_at(args, model, question, todo, box)
        for said in tqdm(photos, total=len(todo), unit="photo", disable=None):
            if said.row["error"] is None:
                count(said.row)
            else:
                failed += 1
                text = f"lafe: {said.row['photo']}: {said.row['error']}"
                tqdm.write(printable(text), file=sys.stderr)
            write(said)
    if failed:
        print(f"lafe: {failed} of {len(found.todo)} photos could not be read.", file=sys.stderr)
    return 1 if failed else 0


def _looked_at(
    args: argparse.Namespace, model: Trained, question: Question, todo: Sequence[Job], box: Box
) -> Iterator[Said]:
    kind = torch.device(args.device).type
    size = args.batch_size or BATCH[kind]
    workers = WORKERS[kind] if args.workers is None else args.workers
    if args.ray is not None:
        count = args.actors or os.cpu_count() or 1
        hub = is_on_hub(args.checkpoint)
        folder = args.checkpoint if hub else str(locate(args.checkpoint).absolute())
        yield from said_on_ray(question, todo, Actors(folder, count, kind, size, workers))
        return

    def seen(photo: Image) -> Tensor:
        return model.preprocess(photo if box == WHOLE else crop(photo, box))

    for batch in batches(read_ahead(todo, seen, workers, 2 * size), size):
        yield from rows(model, question, batch)


class _Writer:
    """Rows to their file as they come, after what is kept beside them."""

    def __init__(self, out: RowFile, beside: Beside | None) -> None:
        self.out, self.beside = out, beside
        self._held: list[Said] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._flush()
        finally:
            self.out.close(whole=kind is None)

    def __call__(self, said: Said) -> None:
        self._held.append(said)
        if self.beside is None or len(self._held) == self.beside.held:
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held and self.beside is not None:
            self.beside.write(held)
        if held:
            self.out.write([said.row for said in held])


def _require_outputs(args: argparse.Namespace) -> None:
    """See that all that is written can be, before the work."""
    files = [name for name in (args.json, args.csv, args.parquet) if name not in (None, "-")]
    if args.resume and not files:
        raise OutputError("--resume goes on with a file: name it by --csv, --json or --parquet.")
    _require_one_way(args)
    for name in files:
        if args.parquet is not None and args.ray is not None:
            there = [] if args.resume else sorted(p.name for p in Path(name).glob(SHARDS))
            require_folder(Path(name), there, args.force)
            continue
        require_file(Path(name), args.force or args.resume)
        parts = Path(f"{name}.parts")
        if args.parquet and parts.exists() and not (args.force or args.resume):
            raise OutputError(f"{parts} has rows of a run that was cut: --resume, or --force.")
    if args.maps is not None:
        there = [] if args.resume else sorted(path.name for path in args.maps.glob(PATTERN))
        require_folder(args.maps, there, args.force)


def _require_one_way(args: argparse.Namespace) -> None:
    if args.resume and args.force:
        raise OutputError("--resume keeps what is there, --force replaces it: choose one.")


def _row_file(args: argparse.Namespace, question: Question, line: Line, made: Made) -> RowFile:
    if args.parquet is not None:
        place = Path(args.parquet)
        return ParquetRows(
            place, question.columns, made, sharded=args.ray is not None, force=args.force
        )
    kind: Literal["json", "csv"] = "json" if args.json else "csv"
    name = args.json or args.csv
    if name in (None, "-"):
        return _Printed(kind if name else None, question, line)
    return TextRows(kind, Path(name), question.columns, made, force=args.force)


def _map_shards(args: argparse.Namespace) -> MapShards | None:
    return None if args.maps is None else MapShards(args.maps, resume=args.resume)


class _Printed:
    """Rows to stdout: as JSON lines, as CSV, or as sentences for people."""

    def __init__(self, kind: Literal["json", "csv"] | None, question: Question, line: Line) -> None:
        self.kind, self.line = kind, line
        if kind and isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        if kind == "csv":
            sys.stdout.write(csv_line(header(question.columns)))

    def finished(self) -> set[str]:
        return set()

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if self.kind is not None:
                sys.stdout.write(text_of(self.kind, row))
            elif row["error"] is None:  # stderr says why a photo cannot be read
                tqdm.write(printable(self.line(row)), file=sys.stdout)
        sys.stdout.flush()

    def close(self, whole: bool) -> None:
        pass
