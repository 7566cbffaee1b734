"""Commands beside the models: ``lafe bench``, ``export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lafe.branches import Switches
from lafe.cli.arguments import CHECKPOINT, switches


def add(commands: argparse._SubParsersAction) -> None:
    """The commands of this file."""
    for command in (_bench, _export):
        command(commands)


def _bench(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("bench", help="speed, as ratios of medians in one run")
    p.add_argument("--backbone", default="resnet50", help="timm's name (default: %(default)s)")
    p.add_argument("--size", type=int, default=448, help="input in px (default: %(default)s)")
    p.add_argument("--out", type=Path, default=Path("bench.json"), help="the JSON file")
    p.set_defaults(run=_run_bench)


def _run_bench(args: argparse.Namespace) -> int:
    from lafe.measure.bench import run

    run(args.backbone, args.size, args.out)
    return 0


def _export(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("export", help="a fixed setting as ONNX, checked with ONNX Runtime")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument(
        "--switches", type=switches, default=Switches.all(), metavar="TEXT", help="as in predict"
    )
    p.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    p.set_defaults(run=_run_export)


def _run_export(args: argparse.Namespace) -> int:
    from lafe.checkpoints.export import export
    from lafe.checkpoints.store import load

    done = export(load(args.checkpoint), args.switches, args.out)
    print(
        f"{done.file}: under the setting {args.switches}, ONNX Runtime's logits are within "
        f"{done.difference:.1g} of the model's."
    )
    return 0
