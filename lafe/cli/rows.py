"""The commands `lafe predict` and `lafe ablate`: photos in, a row each out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from lafe.branches import EVERY_BRANCH, Switches
from lafe.checkpoints.store import load, load_card
from lafe.cli import batch
from lafe.cli.outputs import Row, printable, require_file, rows_to
from lafe.data.photo import PhotoError
from lafe.explain.ablation import factorial
from lafe.explain.classes import index_of
from lafe.explain.prepare import Prepared

NOT_CALIBRATED = (
    "lafe: this model's probabilities are not calibrated: they say which class is likelier, not "
    "how often it is right.  `lafe evaluate` calibrates a model."
)


def predict(args: argparse.Namespace) -> int:
    """One row a photo: the class under setting A and, if given, B."""
    tally = batch.Tally()

    def row(photo: Prepared, job: batch.Job) -> Row:
        among = args.among and [index_of(photo.model, name) for name in args.among]
        found = {"A": batch.prediction(photo, args.switches, among=among)}
        if args.versus is not None:
            found["B"] = batch.prediction(photo, args.versus, among=among)
        tally.add(job.label, found["A"]["label"], found["B"]["label"] if "B" in found else None)
        return {"true": _true(photo, job)} | found

    def line(row: Row) -> str:
        text = " | ".join(_prediction_text(row[k]) for k in ("A", "B") if k in row)
        return f"{row['photo']}: {text}"

    status = _each(args, row, line)
    for text in tally.lines(args.versus is not None):
        print(text, file=sys.stderr if "-" in (args.json, args.csv) else sys.stdout)
    return status


def _true(photo: Prepared, job: batch.Job) -> str | None:
    return None if job.label is None else photo.card.classes[job.label]


def _prediction_text(p: Row) -> str:
    doubt = "" if p["familiar"] else " (looks like nothing this model knows)"
    return f"{p['class']} {100 * p['probability']:.1f} %{doubt}"


def ablate(args: argparse.Namespace) -> int:
    """One row a photo: Shapley values of the branches, and the smallest flips."""

    def row(photo: Prepared, job: batch.Job) -> Row:
        classes = photo.card.classes
        table = factorial(photo)
        target = int(table.predictions()[-1])
        values = table.shapley(target, args.output).flatten().tolist()
        return {
            "true": _true(photo, job),
            "class": classes[target],
            "output": args.output,
            "calibrated": table.temperatures is not None,
            "full": float(table.values(target, args.output)[Switches.all().index]),
            "none": float(table.values(target, args.output)[Switches.none().index]),
            "shapley": {
                str(branch): value for branch, value in zip(EVERY_BRANCH, values, strict=True)
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

    return _each(args, row, line)


def _each(
    args: argparse.Namespace,
    row: Callable[[Prepared, batch.Job], Row],
    line: Callable[[Row], str],
) -> int:
    """Look at every photo, write each row at once; 1 if any photo could not be read."""
    name = args.json or getattr(args, "csv", None)
    if name not in (None, "-"):
        require_file(Path(name), args.force)
    jobs = batch.jobs(args.photos, load_card(args.checkpoint))
    if jobs.said:
        print(f"lafe: {jobs.said}", file=sys.stderr)
    model = load(args.checkpoint, args.device)
    if model.temperatures is None:
        print(NOT_CALIBRATED, file=sys.stderr)
    failed = 0
    with rows_to(args, line) as write:
        photos = batch.prepared(model, jobs.todo)
        for job, photo in tqdm(photos, total=len(jobs.todo), unit="photo", disable=None):
            if isinstance(photo, PhotoError):
                failed += 1
                tqdm.write(printable(f"lafe: {job.path}: {photo}"), file=sys.stderr)
            else:
                write({"photo": str(job.path), **row(photo, job)})
    if failed:
        print(f"lafe: {failed} of {len(jobs.todo)} photos could not be read.", file=sys.stderr)
    return 1 if failed else 0
