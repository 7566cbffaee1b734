"""Commands that look at photos: ``lafe predict``, ``ablate``, ``explain``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lafe.branches import Switches
from lafe.cli.arguments import CHECKPOINT, Commands, add_device, count, switches, whole
from lafe.cli.outputs import OutputError, add_force, printable, require_folder
from lafe.files import write_bytes

if TYPE_CHECKING:
    from lafe.batch.jobs import Job


def add(commands: Commands) -> None:
    """The commands of this file."""
    for command in (_predict, _explain, _ablate):
        command(commands)


def _photos(commands: Commands, name: str, about: str) -> argparse.ArgumentParser:
    p = commands.add_parser(name, help=about)
    p.add_argument(
        "photos",
        nargs="+",
        help="photos, folders, patterns, tar shards, Parquet files with a column 'photo', "
        "s3://... and the like; - reads a list from standard input",
    )
    p.add_argument("--checkpoint", required=True, help=CHECKPOINT)
    add_device(p)
    _add_ahead(p)
    return p


def _add_ahead(command: argparse.ArgumentParser) -> None:
    """Options that change how fast a command is, and nothing else."""
    command.add_argument(
        "--batch-size", type=count, help="photos at a time (default: 2 on a CPU, 64 on a GPU)"
    )
    command.add_argument(
        "--workers",
        type=whole,
        help="threads that decode ahead (default: 1 on a CPU, 8 for a GPU)",
    )


def _add_speed(command: argparse.ArgumentParser) -> None:
    """Options of commands that give rows alone."""
    command.add_argument(
        "--precision",
        choices=("float32", "bf16"),
        default="float32",
        help="bf16 is faster where the processor has it, and changes some predictions",
    )
    command.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="in many processes: Ray at this address, or one that is started here",
    )
    command.add_argument(
        "--actors", type=count, help="processes, with --ray (default: one a CPU of this machine)"
    )


def _rows_to(command: argparse.ArgumentParser) -> None:
    """Options for the place where rows go, unless people read them; and for how they are made."""
    _add_speed(command)
    group = command.add_mutually_exclusive_group()
    for kind, about in (("json", "JSON lines"), ("csv", "CSV")):
        group.add_argument(
            f"--{kind}", nargs="?", const="-", metavar="FILE", help=f"{about}, to stdout or a file"
        )
    group.add_argument(
        "--parquet", metavar="FILE", help="a Parquet file; with --ray a folder of them"
    )
    _add_resume(command)
    add_force(command)


def _add_resume(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the file: keep finished rows, try failed ones again",
    )


def _predict(commands: Commands) -> None:
    p = _photos(commands, "predict", "classify photos, under one setting of the switches or two")
    p.add_argument(
        "--switches",
        type=switches,
        default=Switches.all(),
        help="setting A: all, none, a preset, or branches like r_dis345.c_dis5",
    )
    p.add_argument("--versus", type=switches, help="setting B, to compare with A")
    p.add_argument("--among", nargs="+", metavar="CLASS", help="only these classes are possible")
    p.add_argument("--top", type=count, metavar="K", help="also the K likeliest classes")
    p.add_argument(
        "--table", action="store_true", help="also what each branch is worth, and flips: slower"
    )
    p.add_argument(
        "--maps", type=Path, metavar="DIR", help="also maps of evidence, as arrays in shards"
    )
    _rows_to(p)
    p.set_defaults(run=_run_predict)


def _run_predict(args: argparse.Namespace) -> int:
    from lafe.cli.rows import predict

    return predict(args)


def _ablate(commands: Commands) -> None:
    p = _photos(commands, "ablate", "what each branch is worth: exact Shapley values, and flips")
    p.add_argument("--output", choices=("probability", "logit", "centred"), default="probability")
    _rows_to(p)
    p.set_defaults(run=_run_ablate, maps=None)


def _run_ablate(args: argparse.Namespace) -> int:
    from lafe.cli.rows import ablate

    return ablate(args)


def _explain(commands: Commands) -> None:
    p = _photos(
        commands, "explain", "figure, page, numbers and maps of a photo; of several, one figure"
    )
    p.add_argument(
        "--each",
        action="store_true",
        help="of any number of photos: the files of each in a folder of its own, and a table",
    )
    p.add_argument(
        "--switches",
        type=switches,
        nargs="+",
        default=[Switches.all(), Switches.none()],
        metavar="TEXT",
        help="settings to compare (default: all none), written as in predict",
    )
    p.add_argument(
        "--crop",
        type=float,
        nargs=4,
        default=(0.0, 0.0, 1.0, 1.0),
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="the part to look at, as fractions of the photo's sides",
    )
    p.add_argument(
        "--maps",
        nargs="+",
        default=["evidence"],
        choices=("evidence", "difference", "final", "dis", "con"),
        help="of several photos: the columns of their figure (default: evidence)",
    )
    p.add_argument("--out", type=Path, required=True, help="folder of the files")
    _add_resume(p)
    add_force(p)
    # Drawing takes longer than looking: there is no other precision, and no process but this one.
    p.set_defaults(run=_run_explain, ray=None)


def _run_explain(args: argparse.Namespace) -> int:
    from lafe.batch.jobs import jobs
    from lafe.checkpoints.store import load, load_card
    from lafe.cli.rows import explain
    from lafe.render.bundle import FILES, files
    from lafe.render.comparison import Choice, compare
    from lafe.render.text import percent

    if args.each:
        return explain(args)
    if args.resume:
        raise OutputError("--resume goes on with a table of photos, which --each writes.")
    todo = jobs(args.photos, load_card(args.checkpoint)).todo
    if len(todo) > 1:
        return _explain_several(args, todo)
    require_folder(args.out, FILES, args.force)
    photo = todo[0].open()
    model = load(args.checkpoint, args.device)
    found = compare(photo, [Choice(model, on) for on in args.switches], tuple(args.crop))
    for panel in found.panels:
        name, probability = panel.top(1)[0]
        print(printable(f"{panel.letter}  {panel.setting}: {name}, {percent(probability)}"))
    for name, data in files(found).items():
        write_bytes(args.out / name, data)
    page = args.out / "report.html"
    print(printable(f"{len(found.panels)} settings of {todo[0].name}: {page}"))
    return 0


def _explain_several(args: argparse.Namespace, todo: Sequence[Job]) -> int:
    """One figure of several photos, a row each, and their table; 1 if any could not be read."""
    from lafe.checkpoints.store import load
    from lafe.data.photo import PhotoError
    from lafe.render.comparison import Choice, compare
    from lafe.render.sheet import FILES, MOST, Row, sheet

    if len(todo) > MOST:
        raise OutputError(
            f"A figure holds 1 to {MOST} photos, not {len(todo)}: --each writes the files of each "
            "photo into a folder of its own."
        )
    require_folder(args.out, FILES, args.force)
    model = load(args.checkpoint, args.device)
    choices = [Choice(model, on) for on in args.switches]
    rows = []
    for job in todo:
        try:
            photo = job.open()
        except PhotoError as error:
            print(printable(f"lafe: {job.name}: {error}"), file=sys.stderr)
            continue
        rows.append(Row(Path(job.name).name, compare(photo, choices, tuple(args.crop))))
    if not rows:
        raise PhotoError(f"None of {len(todo)} photos can be read.")
    for name, data in sheet(rows, args.maps).items():
        write_bytes(args.out / name, data)
    print(printable(f"{len(choices)} settings of {len(rows)} photos: {args.out / FILES[0]}"))
    return 1 if len(rows) < len(todo) else 0
