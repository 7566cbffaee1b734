"""Commands that make models and measure them: ``lafe train``, ``evaluate``, ``sweep``, ..."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lafe.cli.arguments import CHECKPOINT, DATA, Commands, add_device, count, whole
from lafe.cli.device import trainer_devices
from lafe.cli.outputs import OutputError, add_force, require_folder

if TYPE_CHECKING:
    from lafe.measure.report import Attention, Evaluation, Report

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def add(commands: Commands) -> None:
    """The commands of this file."""
    for command in (_train, _evaluate, _predictions, _faithfulness, _sweep, _recipes, _results):
        command(commands)


def _train(commands: Commands) -> None:
    from lafe.train.variants import OBJECTIVES, VARIANTS

    p = commands.add_parser("train", help="train a recipe, or go on where a run was cut")
    p.add_argument("recipe", help="name of a shipped recipe, or the path of a YAML file")
    p.add_argument("--data", required=True, help=DATA)
    p.add_argument("--out", default="runs", help="folder of the runs (default: %(default)s)")
    p.add_argument(
        "--variant", choices=VARIANTS, default="lafe", help="a row of the paper's Table 4"
    )
    p.add_argument(
        "--objective", choices=OBJECTIVES, help="instead of the recipe's, with its losses"
    )
    p.add_argument("--weights", help="hub, package, none, or a file, instead of the recipe's")
    p.add_argument("--epochs", type=count, help="instead of the recipe's")
    p.add_argument("--seed", type=whole, help="instead of the recipe's")
    p.add_argument("--fresh", action="store_true", help="start over instead of resuming")
    p.add_argument(
        "--skip-bad", action="store_true", help="go on without photos that cannot be read"
    )
    p.add_argument("--workers", type=whole, default=0, help="processes that augment photos")
    add_device(p)
    p.add_argument("--devices", type=count, help="how many on each node (default: 1)")
    p.add_argument("--nodes", type=count, default=1, help="how many machines")
    p.add_argument(
        "--precision", choices=PRECISIONS, default="32-true", help="Lightning's (%(default)s)"
    )
    p.set_defaults(run=_run_train)


def _run_train(args: argparse.Namespace) -> int:
    from lafe.train.loop import train
    from lafe.train.recipe import load_recipe

    recipe = load_recipe(args.recipe).variant(args.variant)
    if args.objective is not None:
        recipe = recipe.under(args.objective)
    names = ("weights", "epochs", "seed")
    changes = {n: v for n in names if (v := getattr(args, n)) is not None}
    if changes.get("weights") == "none":
        changes["weights"] = None
    recipe = recipe.with_changes(**changes)
    require_folder(Path(args.out, recipe.name), (), force=False)
    folder = train(
        recipe,
        args.data,
        args.out,
        fresh=args.fresh,
        skip_bad=args.skip_bad,
        workers=args.workers,
        **trainer_devices(args.device, args.devices),
        num_nodes=args.nodes,
        precision=args.precision,
    )
    print(f"The checkpoint is in {folder}: lafe evaluate {folder} --data {args.data}")
    return 0


def _evaluate(commands: Commands) -> None:
    p = commands.add_parser("evaluate", help="measure a checkpoint on the test split")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument("--data", required=True, help=DATA)
    p.add_argument("--against", help="a plain backbone trained by the same recipe")
    p.add_argument(
        "--branches", action="store_true", help="also each branch off alone, and Shapley values"
    )
    p.add_argument(
        "--foreign",
        nargs="+",
        choices=("cub", "cars", "aircraft"),
        default=[],
        help="data sets in the same folder whose photos the model should find unknown",
    )
    p.add_argument("--out", type=Path, help="folder of what is written (default: the checkpoint's)")
    add_force(p)
    add_device(p)
    p.set_defaults(run=_run_evaluate)


def _run_evaluate(args: argparse.Namespace) -> int:
    from lafe.checkpoints.store import load_card, locate
    from lafe.measure.evaluation import evaluate

    target = args.out or locate(args.checkpoint)
    sha256 = load_card(args.checkpoint).sha256
    _require_unmeasured(target, sha256, "evaluation", lambda r: r.evaluation, args.force)
    evaluate(
        args.checkpoint,
        args.data,
        against=args.against,
        branches=args.branches,
        foreign=args.foreign,
        device=args.device,
        out=args.out,
        tell=_say_evaluation,
    )
    return 0


def _require_unmeasured(
    folder: Path, sha256: str, what: str, measured: Callable[[Report], object], force: bool
) -> None:
    """See that a report can be written, and that this part of it is not there already."""
    from lafe.measure.report import StaleReportError, read

    require_folder(folder, (), force)
    try:
        found = read(folder, sha256)
    except StaleReportError:  # of other weights, which are gone
        return
    if found is not None and measured(found) is not None and not force:
        raise OutputError(
            f"The report in {folder} has the {what} of these weights already: choose another "
            "folder by --out, or --force to measure again."
        )


def _say_evaluation(found: Evaluation, attends: Attention | None) -> None:
    print(f"{'setting':20} {'top-1':>7} {'top-5':>7} {'ECE':>7}   ({found.photos} test photos)")
    for name, row in found.presets.items():
        print(f"{name:20} {row.top1:7.3f} {row.top5:7.3f} {row.ece:7.3f}")
    if found.against_plain is not None:
        difference = found.against_plain.difference.percent(sign=True)
        print(f"full - trained plain backbone: {difference} points (95 % interval)")
    if attends is not None:
        print(f"{'other gates':26} {'top-1':>7} {'changed':>8}   points lost (95 % interval)")
        for name, stand_in in attends.stand_ins.items():
            lost = stand_in.cost.percent(sign=True)
            print(f"{name:26} {stand_in.top1:7.3f} {100 * stand_in.changed:6.1f} %   {lost}")
        print(attends.verdict)


def _predictions(commands: Commands) -> None:
    p = commands.add_parser(
        "predictions", help="accuracies and differences from stored predictions, without weights"
    )
    p.add_argument("file", type=Path, help="such as checkpoints/results/predictions/birds.csv")
    p.add_argument(
        "--against", type=Path, metavar="FILE", help="of another run, on the same photos"
    )
    p.set_defaults(run=_run_predictions)


def _run_predictions(args: argparse.Namespace) -> int:
    from lafe.measure import predictions

    found = predictions.read(args.file)
    other = None if args.against is None else predictions.read(args.against)
    difference = None if other is None else predictions.difference(found, other)
    print(
        f"{'':28} {'top-1':>7} {'changed':>9}   full minus it, points ({len(found.photos)} photos)"
    )
    for name in found.given:
        top1, cost = found.right(name).mean(), found.cost(name).percent(sign=True)
        print(f"{name:28} {top1:7.3f} {100 * found.changed(name):7.1f} %   {cost}")
    if difference is not None:
        print(f"full minus that of {args.against.name}: {difference.percent(sign=True)} points")
    return 0


def _sweep(commands: Commands) -> None:
    from lafe.train.variants import VARIANTS

    p = commands.add_parser("sweep", help="train and test the rows of Table 4; resumes")
    p.add_argument("recipe", help="name of a shipped recipe, or the path of a YAML file")
    p.add_argument("--data", required=True, help=DATA)
    p.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all"
    )
    p.add_argument("--seeds", nargs="+", type=whole, default=[0], help="default: 0")
    p.add_argument("--out", default="runs", help="folder of the runs (default: %(default)s)")
    p.add_argument("--results", default="checkpoints/results", help="default: %(default)s")
    add_device(p)
    p.set_defaults(run=_run_sweep)


def _run_sweep(args: argparse.Namespace) -> int:
    from lafe.measure.sweep import sweep
    from lafe.train.recipe import load_recipe

    for folder in (args.out, args.results):
        require_folder(Path(folder), (), force=False)
    sweep(
        load_recipe(args.recipe),
        args.data,
        variants=args.variants,
        seeds=args.seeds,
        out=args.out,
        results=args.results,
        device=args.device,
    )
    return 0


def _faithfulness(commands: Commands) -> None:
    from lafe.measure.protocols import NAMES

    p = commands.add_parser("faithfulness", help="measure what a model's explanations are worth")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument("--protocol", choices=NAMES, default=NAMES[0], help="how (default: %(default)s)")
    p.add_argument("--data", help="folder of the data set, or its parent, where one is needed")
    p.add_argument("--photos", type=count, help="test photos (default: the protocol's)")
    p.add_argument("--methods", nargs="+", metavar="METHOD", help="at most ten")
    p.add_argument("--runs", default="runs", help="folder of the figures of each photo")
    p.add_argument("--out", type=Path, help="folder of the summary (default: the checkpoint's)")
    add_force(p)
    p.add_argument("--float32", action="store_true", help="all in full precision: slower")
    add_device(p)
    p.set_defaults(run=_run_faithfulness)


def _run_faithfulness(args: argparse.Namespace) -> int:
    from lafe.checkpoints.store import load_card, locate
    from lafe.measure.faithfulness.protocols import measure
    from lafe.measure.faithfulness.registry import Order

    require_folder(Path(args.runs), (), args.force)
    target = args.out or locate(args.checkpoint)

    def measured(report: Report) -> object:
        found = report.faithfulness
        return None if found is None else getattr(found.protocols, args.protocol)

    sha256 = load_card(args.checkpoint).sha256
    what = f"figures of the protocol {args.protocol!r}"
    _require_unmeasured(target, sha256, what, measured, args.force)
    found = measure(
        args.protocol,
        Order(
            args.checkpoint,
            data=args.data,
            photos=args.photos,
            methods=tuple(args.methods) if args.methods else None,
            runs=args.runs,
            out=args.out,
            device=args.device,
            bfloat16=not args.float32,
        ),
    )
    for question, answer in found.answers:
        print(f"{question}  {answer}")
    for table in found.tables:
        print()
        _print_columns(table.columns)
    print(f"\n{found.counted}")
    return 0


def _print_columns(columns: Mapping[str, Sequence[str]]) -> None:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _recipes(commands: Commands) -> None:
    p = commands.add_parser("recipes", help="list the recipes that come with the package")
    p.set_defaults(run=_run_recipes)


def _run_recipes(_: argparse.Namespace) -> int:
    from lafe.train.recipe import load_recipe, shipped

    for name in shipped():
        recipe = load_recipe(name)
        print(f"{name:22} {recipe.about}" + (f" {recipe.hours}" if recipe.hours else ""))
    return 0


def _results(commands: Commands) -> None:
    p = commands.add_parser("results", help="write the tables of the docs from the reports")
    p.add_argument("root", nargs="?", type=Path, default=Path(), help="the checkout (default: .)")
    p.set_defaults(run=_run_results)


def _run_results(args: argparse.Namespace) -> int:
    from lafe.measure.tables import write

    for file in write(args.root):
        print(f"wrote {file}")
    return 0
