"""Commands that ask one question: ``lafe swap``, ``sufficient``, ``region``, ..."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lafe.branches import Switches
from lafe.cli.arguments import CHECKPOINT, DATA, Commands, add_device, count, switches
from lafe.cli.outputs import Row, add_force, printable, require_file
from lafe.files import replacing, write_text

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from lafe.checkpoints.trained import Trained
    from lafe.explain.swap import Swap


def add(commands: Commands) -> None:
    """The commands of this file."""
    for command in (
        _evidence,
        _swap,
        _sufficient,
        _region,
        _depth,
        _parts,
        _locator,
        _interactions,
    ):
        command(commands)


def _question(commands: Commands, name: str, about: str, *photos: str) -> argparse.ArgumentParser:
    p = commands.add_parser(name, help=about)
    for photo in photos:
        p.add_argument(photo, help="a JPEG, PNG or WebP")
    p.add_argument("--checkpoint", required=True, help=CHECKPOINT)
    p.add_argument(
        "--switches", type=switches, default=Switches.all(), metavar="TEXT", help="as in predict"
    )
    p.add_argument("--json", action="store_true", help="one JSON object to stdout, for programs")
    add_device(p)
    return p


def _say(args: argparse.Namespace, row: Row, *lines: str) -> int:
    """The answer, for programs or for people."""
    if args.json:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    else:
        for line in lines:
            print(printable(line))
    return 0


def _evidence(commands: Commands) -> None:
    about = "where a photo speaks for a class, or for one rather than several others"
    p = _question(commands, "evidence", about, "photo")
    p.add_argument("--target", help="the class (default: the predicted one)")
    p.add_argument("--versus", nargs="+", metavar="CLASS", help="rather than this class, or these")
    p.add_argument(
        "--strength", type=float, default=1.0, help="how much of these is subtracted (%(default)s)"
    )
    p.add_argument("--picture", type=Path, metavar="FILE.png", help="the map over the photo")
    add_force(p)
    p.set_defaults(run=_run_evidence)


def _run_evidence(args: argparse.Namespace) -> int:
    import lafe
    from lafe.explain.classes import ClassError, index_of
    from lafe.render.overlay import overlay, value_range
    from lafe.render.pictures import view

    if args.picture is not None:
        require_file(args.picture, args.force)
    picture = lafe.open_photo(args.photo)
    model = lafe.load(args.checkpoint, args.device)
    photo, on, names = lafe.prepare(model, picture), args.switches, model.card.classes
    logits = photo.logits(on)
    target = int(logits.argmax()) if args.target is None else index_of(model, args.target)
    versus = [index_of(model, name) for name in args.versus or ()]
    if target in versus:
        raise ClassError(
            f"The photo is asked why it is {names[target]}: name other classes after --versus."
        )
    found = lafe.evidence(
        photo, target=target, versus=versus or None, strength=args.strength, switches=on
    )
    heat = found.total.cpu().numpy()
    if args.picture is not None:
        from PIL import Image

        range_ = value_range([heat], signed=True)
        seen = view(picture, model.preprocess)
        painted = overlay(seen, heat, opacity=0.6, value_range=range_, signed=True)
        with replacing(args.picture) as draft:
            Image.fromarray(painted).save(draft, "PNG")
    others = [names[i] for i in versus]
    row: Row = {
        "class": names[target],
        "versus": others,
        "strength": args.strength,
        "logit": found.logit,
        "parts": dict(found.steps),
        "map": heat.tolist(),
    }
    why = names[target] + (f" rather than {', '.join(others)}" if others else "")
    steps = ", ".join(f"{name} {value:+.3f}" for name, value in found.steps.items())
    top = divmod(int(heat.argmax()), heat.shape[1])
    return _say(
        args,
        row,
        f"{args.photo}: {why}: {found.logit:+.3f} = {steps}.",
        f"The place that speaks for it most (row, column): {top}, {heat.max():+.3f}.",
    )


def _swap(commands: Commands) -> None:
    about = "the fewest places of photo B that turn photo A into another class"
    p = _question(commands, "swap", about, "a", "b")
    p.add_argument("--target", help="the class (default: what photo B is taken for)")
    p.add_argument("--of", choices=("F5", "D", "C"), default="F5", help="the map (default: F5)")
    p.add_argument(
        "--similar",
        type=float,
        metavar="SHARE",
        help="swap only the pairs of places that are most alike, such as 0.1 of all",
    )
    p.add_argument("--picture", type=Path, metavar="FILE.png", help="both photos, places numbered")
    add_force(p)
    p.set_defaults(run=_run_swap)


def _run_swap(args: argparse.Namespace) -> int:
    import lafe
    from lafe.explain.places import reach

    if args.picture is not None:
        require_file(args.picture, args.force)
    pictures = [lafe.open_photo(path) for path in (args.a, args.b)]
    model = lafe.load(args.checkpoint, args.device)
    photo, other = (lafe.prepare(model, picture) for picture in pictures)
    names, on = model.card.classes, args.switches
    target = args.target or names[int(other.logits(on).argmax())]
    found = lafe.swap(photo, other, target=target, of=args.of, similar=args.similar, switches=on)
    pasted = lafe.paste(photo, other, found, on)
    if args.picture is not None:
        with replacing(args.picture) as draft:
            _picture(model, pictures, found).save(draft, "PNG")
    grid = photo.features[-1].shape[-1] ** 2
    row: Row = {
        "a": names[found.source],
        "target": names[found.target],
        "of": found.of,
        "edits": [[list(p), list(q)] for p, q in found.edits],
        "winner": names[found.winner],
        "one_fewer": found.one_fewer,
        "in_pixels": {"survives": pasted.survives, "winner": names[pasted.winner]},
    }
    lines = [
        f"{args.a}: {names[found.source]}.  With {len(found.edits)} of {grid} places of {found.of} "
        f"from {args.b}, {names[found.target]} is above it; with one fewer, whichever, it is not.",
        "Place (row, column) of A <- of B: "
        + ", ".join(f"{p} <- {q}" for p, q in found.edits)
        + f".  Over all classes {names[found.winner]} wins.",
    ]
    if found.edits:
        seen = reach(photo, on, found.edits[0][0])
        lines.append(
            f"In pixels it {'survives' if pasted.survives else 'does not survive'}: with these "
            f"patches pasted, the model says {names[pasted.winner]}.  A place sees far more than "
            f"its patch: {100 * seen:.0f} % of what the first one hangs on lies outside."
        )
    return _say(args, row, *lines)


def _picture(model: Trained, pictures: list[Image.Image], found: Swap) -> Image.Image:
    from lafe.render.edits import beside, numbered
    from lafe.render.pictures import view

    grid = model.input_size // 32
    sides = [view(picture, model.preprocess) for picture in pictures]
    a, b = ([edit[i] for edit in found.edits] for i in (0, 1))
    return beside(numbered(sides[0], a, grid), numbered(sides[1], b, grid))


def _sufficient(commands: Commands) -> None:
    about = "the smallest set of places whose evidence alone keeps the class"
    p = _question(commands, "sufficient", about, "photo")
    p.add_argument("--target", help="the class (default: the predicted one)")
    p.add_argument("--versus", help="the class to stay above (default: the strongest other one)")
    p.set_defaults(run=_run_sufficient)


def _run_sufficient(args: argparse.Namespace) -> int:
    import lafe

    picture = lafe.open_photo(args.photo)
    photo = lafe.prepare(lafe.load(args.checkpoint, args.device), picture)
    names = photo.card.classes
    found = lafe.sufficient(photo, target=args.target, versus=args.versus, switches=args.switches)
    row: Row = {
        "target": names[found.target],
        "versus": names[found.versus],
        "places": [list(p) for p in found.places],
        "winner": names[found.winner],
        "one_fewer": found.one_fewer,
    }
    where = ", ".join(map(str, found.places)) or "none: the bias does it"
    return _say(
        args,
        row,
        f"{args.photo}: {len(found.places)} of {photo.features[-1][0, 0].numel()} places alone "
        f"keep {names[found.target]} above {names[found.versus]}; no smaller set does.",
        f"Places (row, column): {where}.  From these alone, {names[found.winner]} wins over all.",
    )


def _region(commands: Commands) -> None:
    about = "a region's exact share of the evidence, and the prediction without it"
    p = _question(commands, "region", about, "photo")
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--box",
        type=float,
        nargs=4,
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="as fractions of the photo's sides",
    )
    where.add_argument("--mask", metavar="FILE", help="a picture, white where the region is")
    p.add_argument("--target", help="the class (default: the predicted one)")
    p.add_argument("--versus", nargs="+", metavar="CLASS", help="rather than this class, or these")
    p.add_argument("--against", choices=("blur", "mean"), default="blur", help="what covers it")
    p.set_defaults(run=_run_region)


def _run_region(args: argparse.Namespace) -> int:
    import lafe
    from lafe.explain.classes import index_of
    from lafe.explain.region import seen

    picture = lafe.open_photo(args.photo)
    mask = _painted(args, picture.size)
    model = lafe.load(args.checkpoint, args.device)
    photo, on = lafe.prepare(model, picture), args.switches
    probabilities, names = photo.probabilities(on), model.card.classes
    top = int(probabilities.argmax())
    target = top if args.target is None else index_of(model, args.target)
    versus = [index_of(model, name) for name in args.versus or ()]
    found = lafe.region(
        photo,
        seen(mask, model.preprocess),
        target=target,
        versus=versus or None,
        switches=on,
        against=args.against,
    )
    after = found.blanked.probabilities(on)
    then = int(after.argmax())
    row: Row = {
        "class": names[target],
        "versus": [names[i] for i in versus],
        "inside": found.inside,
        "outside": found.outside,
        "bias": found.bias,
        "share": found.share,
        "coverage": found.coverage,
        "probability": float(probabilities[target]),
        "blanked": {
            "class": names[then],
            "probability": float(after[then]),
            "probability_of_class": float(after[target]),
        },
    }
    why = names[target] + (f" rather than {', '.join(row['versus'])}" if versus else "")
    return _say(
        args,
        row,
        f"{args.photo}: {100 * found.coverage:.1f} % of what the model sees adds "
        f"{found.inside:+.3f} to {why}, all the rest {found.outside:+.3f} "
        f"(a share of {100 * found.share:.1f} %).",
        f"With the region blanked in the picture, {names[target]} goes from "
        f"{100 * probabilities[target]:.1f} to {100 * after[target]:.1f} %; the model says "
        f"{names[then]}.  Places see more than their patch, so the two need not agree.",
    )


def _painted(args: argparse.Namespace, size: tuple[int, int]) -> np.ndarray:
    """The region as a mask over the whole photo."""
    import numpy as np

    import lafe

    if args.mask is not None:
        drawn = lafe.open_photo(args.mask).convert("L").resize(size)
        return np.asarray(drawn) > 127
    width, height = size
    left, top, right, bottom = args.box
    mask = np.zeros((height, width), bool)
    mask[_span(top, bottom, height), _span(left, right, width)] = True
    return mask


def _span(start: float, end: float, length: int) -> slice:
    return slice(max(round(start * length), 0), max(round(end * length), 0))


def _depth(commands: Commands) -> None:
    about = "the deepest level that is sure: the class, its family, its make"
    p = _question(commands, "depth", about, "photo")
    p.add_argument("--sure", type=float, default=0.9, help="from this probability (%(default)s)")
    p.set_defaults(run=_run_depth)


def _run_depth(args: argparse.Namespace) -> int:
    import lafe

    picture = lafe.open_photo(args.photo)
    photo = lafe.prepare(lafe.load(args.checkpoint, args.device), picture)
    found = lafe.depth(photo, sure=args.sure, switches=args.switches)
    deepest = found.deepest
    row: Row = {
        "deepest": None if deepest is None else deepest.level,
        "levels": [vars(each) for each in found.levels],
        "sure": found.sure,
        "calibrated": found.calibrated,
    }
    each = "; ".join(f"{x.level} {x.name} {100 * x.probability:.1f} %" for x in found.levels)
    answer = "no level is sure" if deepest is None else f"surely {deepest.level} {deepest.name}"
    return _say(args, row, f"{args.photo}: {answer} (from {100 * found.sure:.0f} % on): {each}.")


def _parts(commands: Commands) -> None:
    about = "evidence by part of the bird: how much of why this and not that lies on the throat"
    p = _question(commands, "parts", about, "photo")
    p.add_argument("--target", help="the class (default: the predicted one)")
    p.add_argument("--versus", help="rather than this class (default: the strongest other one)")
    p.add_argument("--data", help="folder of CUB-200-2011: its attributes say it in words")
    p.set_defaults(run=_run_parts)


def _run_parts(args: argparse.Namespace) -> int:
    import lafe
    from lafe.checkpoints.store import locate
    from lafe.data.attributes import by_part as words_of
    from lafe.explain.classes import index_of
    from lafe.explain.parts import CENTRE, NEAR, by_part, read

    picture, folder = lafe.open_photo(args.photo), locate(args.checkpoint)
    model = lafe.load(folder, args.device)
    locator, photo = read(folder, model), lafe.prepare(model, picture)
    logits, names = photo.logits(args.switches), model.card.classes
    target = int(logits.argmax()) if args.target is None else index_of(model, args.target)
    rest = logits.clone()
    rest[target] = -float("inf")
    versus = int(rest.argmax()) if args.versus is None else index_of(model, args.versus)
    found = by_part(photo, locator, target=target, versus=versus, switches=args.switches)
    kind = str(model.card.data.get("name", ""))
    words = words_of(kind, names[target], names[versus], args.data)
    row: Row = {
        "class": names[target],
        "versus": names[versus],
        "parts": dict(found.parts),
        "whole": found.whole,
        "words": words,
        "error": dict(locator.error),
    }
    lines = [f"{args.photo}: of why {names[target]} and not {names[versus]} ({found.whole:+.3f}):"]
    for part, value in found.parts.items():
        said = f"   {words[part]}" if words.get(part) else ""
        lines.append(f"  {part:18} {100 * found.share(part):6.1f} %  {value:+.3f}{said}")
    lines.append(
        f"Parts are as a locator sees them: on test photos its likeliest place is within one place "
        f"of the part in {100 * locator.error[NEAR]:.0f} % (the middle of the photo: "
        f"{100 * locator.error[CENTRE]:.0f} %)."
    )
    return _say(args, row, *lines)


def _locator(commands: Commands) -> None:
    p = commands.add_parser("locator", help="fit a bird model's locator of parts, and measure it")
    p.add_argument("checkpoint", help=CHECKPOINT)
    p.add_argument("--data", required=True, help=DATA)
    add_force(p)
    add_device(p)
    p.set_defaults(run=_run_locator)


def _run_locator(args: argparse.Namespace) -> int:
    from lafe.checkpoints.store import locate
    from lafe.explain.parts import FILE
    from lafe.measure.locator import measure

    file = require_file(locate(args.checkpoint) / FILE, args.force)
    found = measure(args.checkpoint, args.data, device=args.device)
    for name, value in found.error.items():
        print(f"{name:32} {100 * value:6.1f} %")
    print(f"{file}: one linear layer on f_4 and f_5, for these weights only.")
    return 0


def _interactions(commands: Commands) -> None:
    from lafe.explain.indices import INDICES

    about = "how branches work together: exact interactions, as a file that shapiq reads"
    p = commands.add_parser("interactions", help=about)
    p.add_argument("photo", help="a JPEG, PNG or WebP")
    p.add_argument("--checkpoint", required=True, help=CHECKPOINT)
    p.add_argument("--target", help="the class (default: the predicted one)")
    p.add_argument("--index", choices=INDICES, default="k-SII", help="(default: %(default)s)")
    p.add_argument("--order", type=count, default=2, help="branches at most (default: %(default)s)")
    p.add_argument("--output", choices=("probability", "logit", "centred"), default="probability")
    p.add_argument(
        "--out", type=Path, metavar="FILE.json", help="for shapiq.InteractionValues.load"
    )
    add_force(p)
    add_device(p)
    p.set_defaults(run=_run_interactions)


def _run_interactions(args: argparse.Namespace) -> int:
    import lafe
    from lafe.branches import EVERY_BRANCH
    from lafe.explain.classes import index_of

    if args.order > len(EVERY_BRANCH):
        raise lafe.LafeError(f"There are {len(EVERY_BRANCH)} branches: choose an order up to that.")
    if args.out is not None:
        if args.out.suffix != ".json":
            raise lafe.LafeError(f"shapiq reads files that end in .json: name {args.out} so.")
        require_file(args.out, args.force)
    photo = lafe.prepare(lafe.load(args.checkpoint, args.device), lafe.open_photo(args.photo))
    table = lafe.factorial(photo)
    target = (
        int(table.predictions()[-1]) if args.target is None else index_of(photo.model, args.target)
    )
    found = table.indices(target, args.index, args.order, args.output)
    name = photo.card.classes[target]
    if args.out is not None:
        about = f"{args.output} of {name}, by the branches that are on"
        write_text(args.out, found.to_json(about))
    print(printable(f"{args.photo}: {args.index} of the {args.output} of {name}, the largest:"))
    for players in sorted(found.values, key=lambda s: -abs(found.values[s]))[:10]:
        who = " + ".join(str(EVERY_BRANCH[i]) for i in players) or "none"
        print(f"  {found.values[players]:+.4f}  {who}")
    return 0
