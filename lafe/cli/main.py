"""The command line: ``lafe train``, ``evaluate``, ``predict``, ...  See ``lafe --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lafe import __version__
from lafe.branches import Switches


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for photos that failed, 2 for bad input."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, FileNotFoundError) as error:
        # Every error that a user can mend is a ValueError with one sentence.
        print(f"lafe: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lafe", description="LAFE: what did the model look at, and what if it hadn't?"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    photos = (_predict, _explain, _ablate)
    models = (_train, _evaluate, _faithfulness, _sweep, _recipes, _results, _bench, _export)
    for add in photos + models:
        add(commands)
    return parser


def default_device() -> str:
    """CUDA where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", default=default_device(), help="cpu, cuda, ... (default: %(default)s)"
    )


def switches(text: str) -> Switches:
    """A setting of the switches, as an argument."""
    try:
        return Switches.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _photos(commands: argparse._SubParsersAction, name: str, about: str) -> argparse.ArgumentParser:
    p = commands.add_parser(name, help=about)
    p.add_argument("photos", nargs="+", help="photos, and folders of them")
    p.add_argument("--checkpoint", required=True, help="its name, or its folder")
    p.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON lines, to stdout or a file"
    )
    _device(p)
    return p


def _predict(commands: argparse._SubParsersAction) -> None:
    p = _photos(commands, "predict", "classify photos, under one setting of the switches or two")
    p.add_argument(
        "--switches",
        type=switches,
        default=Switches.all(),
        help="setting A: all, none, a preset, or branches like r_dis345.c_dis5",
    )
    p.add_argument("--versus", type=switches, help="setting B, to compare with A")
    p.add_argument("--csv", nargs="?", const="-", metavar="FILE", help="CSV, to stdout or a file")
    p.set_defaults(run=_run_predict)


def _run_predict(args: argparse.Namespace) -> int:
    from lafe.cli.photos import predict

    if args.json and args.csv:
        raise ValueError("Choose --json or --csv, not both.")
    return predict(args)


def _explain(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("explain", help="figure, page, numbers and maps of one photo")
    p.add_argument("photo", help="a JPEG, PNG or WebP")
    p.add_argument("--checkpoint", required=True, help="its name, or its folder")
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
    p.add_argument("--out", type=Path, required=True, help="folder of the files")
    _device(p)
    p.set_defaults(run=_run_explain)


def _run_explain(args: argparse.Namespace) -> int:
    from lafe.checkpoints.store import load
    from lafe.data.photo import open_photo
    from lafe.render.bundle import files
    from lafe.render.comparison import Setting, compare

    photo = open_photo(args.photo)
    model = load(args.checkpoint, args.device)
    found = compare(photo, [Setting(model, on) for on in args.switches], tuple(args.crop))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, data in files(found).items():
        (args.out / name).write_bytes(data)
    print(f"{len(found.panels)} settings of {args.photo}: {args.out / 'report.html'}")
    return 0


def _ablate(commands: argparse._SubParsersAction) -> None:
    p = _photos(commands, "ablate", "what each branch is worth: exact Shapley values, and flips")
    p.add_argument("--output", choices=("probability", "logit", "centred"), default="probability")
    p.set_defaults(run=_run_ablate)


def _run_ablate(args: argparse.Namespace) -> int:
    from lafe.cli.photos import ablate

    return ablate(args)


def _train(commands: argparse._SubParsersAction) -> None:
    from lafe.train.recipe import VARIANTS

    p = commands.add_parser("train", help="train a recipe, or go on where a run was cut")
    p.add_argument("recipe", help="name of a shipped recipe, or the path of a YAML file")
    p.add_argument("--data", required=True, help="folder of the data set, or its parent")
    p.add_argument("--out", default="runs", help="folder of the runs (default: %(default)s)")
    p.add_argument(
        "--variant", choices=VARIANTS, default="lafe", help="a row of the paper's Table 4"
    )
    p.add_argument("--objective", choices=("paper", "switched"), help="instead of the recipe's")
    p.add_argument("--weights", help="hub, package, none, or a file, instead of the recipe's")
    p.add_argument("--epochs", type=int, help="instead of the recipe's")
    p.add_argument("--seed", type=int, help="instead of the recipe's")
    p.add_argument("--fresh", action="store_true", help="start over instead of resuming")
    p.add_argument("--workers", type=int, default=0, help="processes that augment photos")
    p.add_argument("--device", default="auto", help="auto, cpu, gpu, ... (default: %(default)s)")
    p.add_argument("--devices", default="1", help="how many on each node (default: %(default)s)")
    p.add_argument("--nodes", type=int, default=1, help="how many machines")
    p.add_argument("--precision", default="32-true", help="Lightning's: bf16-mixed, 16-mixed, ...")
    p.set_defaults(run=_run_train)


def _run_train(args: argparse.Namespace) -> int:
    from lafe.train.recipe import load_recipe

    try:
        from lafe.train.loop import train
    except ImportError as error:
        raise ValueError(
            f"Training needs more packages: pip install 'lafe[train]' ({error})."
        ) from error
    recipe = load_recipe(args.recipe).variant(args.variant)
    names = ("objective", "weights", "epochs", "seed")
    changes = {n: v for n in names if (v := getattr(args, n)) is not None}
    if changes.get("weights") == "none":
        changes["weights"] = None
    folder = train(
        recipe.with_changes(**changes),
        args.data,
        args.out,
        fresh=args.fresh,
        workers=args.workers,
        accelerator={"cuda": "gpu"}.get(args.device, args.device),
        devices=int(args.devices) if args.devices.isdigit() else args.devices,
        num_nodes=args.nodes,
        precision=args.precision,
    )
    print(f"The best epoch is in {folder}: lafe evaluate {folder} --data {args.data}")
    return 0


def _evaluate(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("evaluate", help="measure a checkpoint on the test split")
    p.add_argument("checkpoint", help="its name, or its folder")
    p.add_argument("--data", required=True, help="folder of the data set, or its parent")
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
    _device(p)
    p.set_defaults(run=_run_evaluate)


def _run_evaluate(args: argparse.Namespace) -> int:
    from lafe.measure.evaluation import evaluate

    report = evaluate(
        args.checkpoint,
        args.data,
        against=args.against,
        branches=args.branches,
        foreign=args.foreign,
        device=args.device,
        out=args.out,
    )
    print(f"{'setting':20} {'top-1':>7} {'top-5':>7} {'ECE':>7}   ({report['photos']} test photos)")
    for name, row in report["presets"].items():
        print(f"{name:20} {row['top1']:7.3f} {row['top5']:7.3f} {row['ece']:7.3f}")
    if "against_plain" in report:
        d = report["against_plain"]["difference"]
        print(
            f"full - trained plain backbone: {100 * d['mean']:+.1f} points "
            f"(95 % interval {100 * d['low']:+.1f} to {100 * d['high']:+.1f})"
        )
    return 0


def _sweep(commands: argparse._SubParsersAction) -> None:
    from lafe.measure.sweep import ROWS

    p = commands.add_parser("sweep", help="train and test the rows of Table 4; resumes")
    p.add_argument("recipe", help="name of a shipped recipe, or the path of a YAML file")
    p.add_argument("--data", required=True, help="folder of the data set, or its parent")
    p.add_argument("--variants", nargs="+", choices=ROWS, default=list(ROWS), help="default: all")
    p.add_argument("--seeds", nargs="+", type=int, default=[0], help="default: 0")
    p.add_argument("--out", default="runs", help="folder of the runs (default: %(default)s)")
    p.add_argument("--results", default="checkpoints/results", help="default: %(default)s")
    _device(p)
    p.set_defaults(run=_run_sweep)


def _run_sweep(args: argparse.Namespace) -> int:
    from lafe.measure.sweep import sweep
    from lafe.train.recipe import load_recipe

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


def _faithfulness(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("faithfulness", help="measure what a bird model's maps are worth")
    p.add_argument("checkpoint", help="its name, or its folder")
    p.add_argument("--data", required=True, help="folder of CUB-200-2011, or its parent")
    p.add_argument("--photos", type=int, default=300, help="test photos (default: %(default)s)")
    p.add_argument("--methods", nargs="+", metavar="METHOD", help="at most ten")
    p.add_argument("--runs", default="runs", help="folder of the figures of each photo")
    p.add_argument("--out", type=Path, help="folder of the summary (default: the checkpoint's)")
    p.add_argument("--float32", action="store_true", help="curves in full precision: slower")
    _device(p)
    p.set_defaults(run=_run_faithfulness)


def _run_faithfulness(args: argparse.Namespace) -> int:
    from lafe.measure.faithfulness.benchmark import DEFAULT, measure

    report = measure(
        args.checkpoint,
        args.data,
        photos=args.photos,
        methods=args.methods or DEFAULT,
        runs=args.runs,
        out=args.out,
        device=args.device,
        bfloat16=not args.float32,
    )
    columns = ("deletion", "insertion", "pointing in box", "energy in box")
    print(f"{'map':22}" + "".join(f"{c:>17}" for c in columns) + f"   ({report['photos']} photos)")
    for name, found in report["maps"].items():
        values = ("-" if found[c] is None else f"{found[c]['mean']:.3f}" for c in columns)
        print(f"{name:22}" + "".join(f"{v:>17}" for v in values))
    return 0


def _recipes(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("recipes", help="list the recipes that come with the package")
    p.set_defaults(run=_run_recipes)


def _run_recipes(_: argparse.Namespace) -> int:
    from lafe.train.recipe import load_recipe, shipped

    for name in shipped():
        recipe = load_recipe(name)
        print(f"{name:22} {recipe.about}" + (f" {recipe.hours}" if recipe.hours else ""))
    return 0


def _results(commands: argparse._SubParsersAction) -> None:
    p = commands.add_parser("results", help="write the tables of the docs from the reports")
    p.add_argument("root", nargs="?", type=Path, default=Path(), help="the checkout (default: .)")
    p.set_defaults(run=_run_results)


def _run_results(args: argparse.Namespace) -> int:
    from lafe.measure.tables import write

    for file in write(args.root):
        print(f"wrote {file}")
    return 0


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
    p.add_argument("checkpoint", help="its name, or its folder")
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


if __name__ == "__main__":
    sys.exit(main())
