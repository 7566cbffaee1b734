"""Commands beside the models: ``lafe bench``, ``export``, ``partbirds``, ``router``, ``index``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lafe.branches import Switches
from lafe.cli.arguments import CHECKPOINT, DATA, Commands, add_device, count, switches
from lafe.cli.outputs import add_force, require_file


def add(commands: Commands) -> None:
    """The commands of this file."""
    for command in (_bench, _export, _push, _partbirds, _router, _index, _crops):
        command(commands)


def _bench(commands: Commands) -> None:
    p = commands.add_parser("bench", help="speed, as ratios of medians in one run")
    p.add_argument("--backbone", default="resnet50", help="timm's name (default: %(default)s)")
    p.add_argument("--size", type=count, default=448, help="input in px (default: %(default)s)")
    p.add_argument("--out", type=Path, default=Path("bench.json"), help="the JSON file")
    p.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="instead: predictions of this folder's photos against the forward pass alone",
    )
    p.add_argument("--checkpoint", default="birds", help=f"with --folder: {CHECKPOINT}")
    p.add_argument(
        "--photos", type=count, default=64, help="with --folder: how many (default: %(default)s)"
    )
    p.add_argument("--ray", action="store_true", help="with --folder: two workers of Ray too")
    p.add_argument(
        "--busy",
        action="store_true",
        help="with --folder: seconds that processors worked for this, as other programs run too",
    )
    add_device(p)
    add_force(p)
    p.set_defaults(run=_run_bench)


def _run_bench(args: argparse.Namespace) -> int:
    if args.folder is not None:
        from lafe.measure.throughput import throughput

        throughput(
            args.checkpoint,
            args.folder,
            require_file(args.out, args.force),
            device=args.device,
            photos=args.photos,
            busy=args.busy,
            ray=args.ray,
        )
        return 0
    from lafe.measure.bench import run

    run(args.backbone, args.size, require_file(args.out, args.force))
    return 0


def _export(commands: Commands) -> None:
    p = commands.add_parser("export", help="a setting, or all, as ONNX, checked with ONNX Runtime")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument(
        "--switches", type=switches, default=Switches.all(), metavar="TEXT", help="as in predict"
    )
    p.add_argument(
        "--every-setting",
        action="store_true",
        help="instead what every setting is a sum of: f_5, 64 + 64 pooled vectors, the classifier",
    )
    p.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    add_force(p)
    p.set_defaults(run=_run_export)


def _run_export(args: argparse.Namespace) -> int:
    from lafe.checkpoints.export import export, export_parts
    from lafe.checkpoints.store import load

    file = require_file(args.out, args.force)
    model = load(args.checkpoint)
    if args.every_setting:
        done, what = export_parts(model, file), "under 45 of the 4,096 settings"
    else:
        done = export(model, args.switches, file)
        what = f"under the setting {args.switches}"
    print(
        f"{done.file}: {what}, ONNX Runtime's logits are within "
        f"{done.difference:.1g} of the model's."
    )
    return 0


def _push(commands: Commands) -> None:
    p = commands.add_parser("push", help="upload a checkpoint to the Hugging Face hub")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument("name", metavar="hf-hub:USER/NAME")
    p.add_argument("--private", action="store_true", help="seen by nobody else")
    p.set_defaults(run=_run_push)


def _run_push(args: argparse.Namespace) -> int:
    from lafe.checkpoints.hub import push
    from lafe.checkpoints.store import locate

    print(push(locate(args.checkpoint), args.name, private=args.private))
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


def _router(commands: Commands) -> None:
    p = commands.add_parser("router", help="fit and measure what sends a photo to its model")
    p.add_argument("--data", type=Path, required=True, help=DATA)
    p.add_argument("--checkpoint", default="aircraft", help="whose backbone it reads")
    p.add_argument("--photos", type=count, default=1500, help="of a kind, to fit on (%(default)s)")
    p.add_argument("--test", type=count, help="test photos of each data set (default: all)")
    p.add_argument("--others", type=Path, metavar="DIR", help="test photos of other things")
    p.add_argument(
        "--without", nargs="+", default=[], metavar="FILE", help="names in there to leave out"
    )
    p.add_argument("--out", type=Path, default=Path("checkpoints"), help="(%(default)s)")
    add_force(p)
    p.set_defaults(run=_run_router)


def _run_router(args: argparse.Namespace) -> int:
    from lafe.cli.outputs import require_folder
    from lafe.explain.router import FILE
    from lafe.measure.router import REPORT, run

    require_folder(args.out, (FILE, REPORT), args.force)
    found = run(
        args.checkpoint,
        args.data,
        args.out,
        most=args.photos,
        tested=args.test,
        others=args.others,
        without=tuple(args.without),
    )
    if others := found.others:
        print(
            f"{others.no_match} of {others.photos} photos of other things get no match, "
            f"{others.other} of them from the router."
        )
    return 0


def _index(commands: Commands) -> None:
    p = commands.add_parser("index", help="look at all training photos, for the app's Look-alikes")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument("--data", type=Path, required=True, help=DATA)
    add_device(p)
    p.set_defaults(run=_run_index)


def _run_index(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from lafe.checkpoints.store import load
    from lafe.data import load_benchmark
    from lafe.errors import LafeError
    from lafe.explain.neighbours import index_folder, look, write_index

    model = load(args.checkpoint, args.device)
    photos = load_benchmark(str(model.card.data["name"]), args.data, "trainval")
    if photos.spans is not None:
        raise LafeError(
            "The app shows the photos of an index, and opens files of their own: give --data as "
            "class folders, not as shards."
        )
    with tqdm(total=len(photos)) as bar:
        pooled = look(model, photos, lambda done: bar.update(round(done * len(photos)) - bar.n))
    print(f"{len(photos)} photos are in {write_index(index_folder(), pooled, model, photos)}")
    return 0


def _crops(commands: Commands) -> None:
    p = commands.add_parser("crops", help="measure the crop that the app proposes")
    p.add_argument("--data", type=Path, required=True, help=DATA)
    p.add_argument("--photos", type=count, help="of birds, and of cars (default: all)")
    p.add_argument("--out", type=Path, default=Path("checkpoints"), help="(%(default)s)")
    add_force(p)
    p.set_defaults(run=_run_crops)


def _run_crops(args: argparse.Namespace) -> int:
    from lafe.cli.outputs import require_folder
    from lafe.measure.crops import FILE, run

    require_folder(args.out, (FILE,), args.force)
    run(args.data, args.out, most=args.photos)
    return 0
