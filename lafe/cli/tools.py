"""Commands beside the models: ``lafe bench``, ``export``, ``partbirds``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lafe.branches import Switches
from lafe.cli.arguments import CHECKPOINT, Commands, count, switches
from lafe.cli.outputs import add_force, require_file


def add(commands: Commands) -> None:
    """The commands of this file."""
    for command in (_bench, _export, _partbirds):
        command(commands)


def _bench(commands: Commands) -> None:
    p = commands.add_parser("bench", help="speed, as ratios of medians in one run")
    p.add_argument("--backbone", default="resnet50", help="timm's name (default: %(default)s)")
    p.add_argument("--size", type=count, default=448, help="input in px (default: %(default)s)")
    p.add_argument("--out", type=Path, default=Path("bench.json"), help="the JSON file")
    add_force(p)
    p.set_defaults(run=_run_bench)


def _run_bench(args: argparse.Namespace) -> int:
    from lafe.measure.bench import run

    run(args.backbone, args.size, require_file(args.out, args.force))
    return 0


def _export(commands: Commands) -> None:
    p = commands.add_parser("export", help="a fixed setting as ONNX, checked with ONNX Runtime")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument(
        "--switches", type=switches, default=Switches.all(), metavar="TEXT", help="as in predict"
    )
    p.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    add_force(p)
    p.set_defaults(run=_run_export)


def _run_export(args: argparse.Namespace) -> int:
    from lafe.checkpoints.export import export
    from lafe.checkpoints.store import load

    file = require_file(args.out, args.force)
    done = export(load(args.checkpoint), args.switches, file)
    print(
        f"{done.file}: under the setting {args.switches}, ONNX Runtime's logits are within "
        f"{done.difference:.1g} of the model's."
    )
    return 0


def _partbirds(commands: Commands) -> None:
    p = commands.add_parser("partbirds", help="draw a data set of birds whose parts are known")
    p.add_argument("folder", type=Path, metavar="DIR", help="a new folder; read it as --data DIR")
    for option, default, about in (
        ("--seed", 0, "of everything but the classes"),
        ("--train", 60, "training pictures of each class"),
        ("--test", 20, "test pictures of each class"),
        ("--size", 320, "side in px"),
    ):
        p.add_argument(option, type=int, default=default, help=f"{about} (default: %(default)s)")
    p.set_defaults(run=_run_partbirds)


def _run_partbirds(args: argparse.Namespace) -> int:
    from lafe.data.partbirds import CLASSES, write

    drawn = write(args.folder, seed=args.seed, train=args.train, test=args.test, size=args.size)
    print(f"{len(drawn)} pictures of {len(CLASSES)} species are in {args.folder}.")
    return 0
