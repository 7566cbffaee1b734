"""What `lafe predict` and `lafe ablate` do: photos in, a row each out."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

from lafe.branches import BRANCHES, STAGES, Switches
from lafe.checkpoints.store import load
from lafe.cli import batch
from lafe.explain.ablation import factorial
from lafe.explain.prepare import Prepared

Row = dict[str, Any]


def predict(args: argparse.Namespace) -> int:
    """One row a photo: the class under setting A and, if given, B."""
    model = load(args.checkpoint, args.device)
    tally = batch.Tally()

    def row(photo: Prepared, label: str | None) -> Row:
        found = {"A": batch.prediction(photo, args.switches)}
        if args.versus is not None:
            found["B"] = batch.prediction(photo, args.versus)
        tally.add(label, found["A"]["class"], found["B"]["class"] if "B" in found else None)
        return {"true": label} | found

    def line(row: Row) -> str:
        text = " | ".join(_prediction_text(row[k]) for k in ("A", "B") if k in row)
        return f"{row['photo']}: {text}"

    status = _each(model, args, row, line)
    for text in tally.lines(args.versus is not None):
        print(text, file=sys.stderr if "-" in (args.json, args.csv) else sys.stdout)
    return status


def _prediction_text(p: Row) -> str:
    doubt = "" if p["familiar"] else " (looks like nothing this model knows)"
    return f"{p['class']} {100 * p['probability']:.1f} %{doubt}"


def ablate(args: argparse.Namespace) -> int:
    """One row a photo: Shapley values of the branches, and the smallest flips."""
    model = load(args.checkpoint, args.device)
    classes = model.card.classes

    def row(photo: Prepared, label: str | None) -> Row:
        table = factorial(photo)
        target = int(table.predictions()[-1])
        values = table.shapley(target, args.output).tolist()
        return {
            "true": label,
            "class": classes[target],
            "output": args.output,
            "full": float(table.values(target, args.output)[Switches.all().index]),
            "none": float(table.values(target, args.output)[Switches.none().index]),
            "shapley": {
                f"{branch}{stage}": values[i][j]
                for i, stage in enumerate(STAGES)
                for j, branch in enumerate(BRANCHES)
            },
            "flips": [
                {
                    "without": str(flip.off),
                    "becomes": classes[flip.prediction],
                    "probability": flip.probability,
                }
                for flip in table.flips()[:5]
            ],
        }

    def line(row: Row) -> str:
        most = sorted(row["shapley"].items(), key=lambda item: -abs(item[1]))[:3]
        worth = ", ".join(f"{name} {value:+.3f}" for name, value in most)
        flips = row["flips"]
        flip = (
            f"without {flips[0]['without']} it becomes {flips[0]['becomes']}"
            if flips
            else "no setting changes it"
        )
        return f"{row['photo']}: {row['class']} ({row['output']}): {worth}; {flip}"

    return _each(model, args, row, line)


def _each(
    model: Any,
    args: argparse.Namespace,
    row: Callable[[Prepared, str | None], Row],
    line: Callable[[Row], str],
) -> int:
    """Do every photo, write each row at once; 1 if any photo could not be read."""
    todo = batch.jobs(args.photos, model.card)
    failed = 0
    with _writer(args, line) as write:
        bar = tqdm(batch.prepared(model, todo), total=len(todo), unit="photo", disable=None)
        for job, photo in bar:
            if not isinstance(photo, Prepared):
                failed += 1
                tqdm.write(f"lafe: {job.path}: {photo}", file=sys.stderr)
                continue
            label = None if job.label is None else model.card.classes[job.label]
            write({"photo": str(job.path), **row(photo, label)})
    if failed:
        print(f"lafe: {failed} of {len(todo)} photos could not be read.", file=sys.stderr)
    return 1 if failed else 0


@contextmanager
def _writer(
    args: argparse.Namespace, line: Callable[[Row], str]
) -> Iterator[Callable[[Row], None]]:
    """Where rows go: JSON lines, CSV, or sentences.  Each is flushed: a cut keeps what was done."""
    name = args.json or getattr(args, "csv", None)
    with (
        open(name, "w", encoding="utf-8", newline="") if name not in (None, "-") else _stdout() as f
    ):
        if args.json:

            def write(row: Row) -> None:
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
                f.flush()

        elif getattr(args, "csv", None):
            table = csv.writer(f)
            header: list[str] = []

            def write(row: Row) -> None:
                flat = _flat(row)
                if not header:
                    header.extend(flat)
                    table.writerow(header)
                table.writerow([flat.get(key) for key in header])
                f.flush()

        else:

            def write(row: Row) -> None:
                tqdm.write(line(row), file=f)

        yield write


@contextmanager
def _stdout() -> Iterator[TextIO]:
    yield sys.stdout


def _flat(row: Row) -> Row:
    """One level of columns; lists are left to JSON."""
    flat: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{k}": v for k, v in value.items() if not isinstance(v, list)}
        elif not isinstance(value, list):
            flat[key] = value
    return flat
