"""Table 4: variants of one recipe, trained and tested alike, with several seeds.

Each run leaves one JSON file; the table is made of these files and of nothing else.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from lafe import __version__
from lafe.branches import PRESETS
from lafe.checkpoints.store import load, write_json
from lafe.data import load_benchmark
from lafe.errors import needs
from lafe.measure.evaluation import accuracy, run
from lafe.render.text import number
from lafe.train.accelerator import accelerator
from lafe.train.recipe import VARIANTS, Recipe, RecipeError

ROWS = {
    "lafe": "LAFE",
    "no-region": "without region attention",
    "no-fusion": "without feature fusion",
    "no-losses": "without L_dis and L_con",
    "no-con-loss": "without L_con",
    "plain": "plain backbone",
    "constant-gates": "constant gates",
    "switched": "LAFE, objective “switched”",
    "attentive": "LAFE, objective “attentive”",
}
"""The six rows of Table 4 in its words, and three more: constant gates and our objectives."""


@dataclass(frozen=True)
class Row:
    """One row of the table, over its seeds.

    Attributes:
        variant: a key of ``ROWS``.
        top1: of each seed, on test photos.
        seeds: of the runs, in the same order.
        hours: of training, all seeds together.
    """

    variant: str
    top1: tuple[float, ...]
    seeds: tuple[int, ...]
    hours: float

    @property
    def mean(self) -> float:
        return statistics.fmean(self.top1)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; None for one seed."""
        return statistics.stdev(self.top1) if len(self.top1) > 1 else None


def recipe_of(recipe: Recipe, variant: str, seed: int) -> Recipe:
    """The recipe of one run: a row of the table and a seed, both in its name."""
    changed = recipe.variant(variant)
    return changed.with_changes(seed=seed, name=f"{recipe.name}-{variant}-seed{seed}")


def sweep(
    recipe: Recipe,
    data: str | Path,
    *,
    variants: Sequence[str] = tuple(ROWS),
    seeds: Sequence[int] = (0,),
    out: str | Path = "runs",
    results: str | Path = "checkpoints/results",
    device: str = "cpu",
) -> list[Path]:
    """Train and test every variant with every seed; returns the result files.

    A run that has its file is not repeated, and one that was cut goes on where it was.

    Args:
        recipe: its objective should be ``paper`` for Table 4.
        data: folder of the data set, or its parent.
        variants: keys of ``ROWS``.
        seeds: of the runs.  The held-out photos change with the seed, the test photos never.
        out: folder of the runs, as in :func:`lafe.train.loop.train`.
        results: folder of the result files.
        device: of torch.

    Raises:
        RecipeError: no such variant; or a result file that another recipe wrote.
    """
    with needs("train"):
        from lafe.train.loop import train

    unknown = sorted(set(variants) - set(VARIANTS))
    if unknown:
        raise RecipeError(f"There is no variant {unknown[0]!r}: choose among {', '.join(ROWS)}.")
    todo = [(v, recipe_of(recipe, v, seed)) for seed in seeds for v in variants]
    files = [Path(results) / f"{each.name}.json" for _, each in todo]
    for (_, each), file in zip(todo, files, strict=True):
        if file.is_file() and _training(_recipe_in(file)) != _training(each.to_dict()):
            raise RecipeError(f"{file} is of another recipe: remove it, or rename the recipe.")
    Path(results).mkdir(parents=True, exist_ok=True)
    for (variant, each), file in zip(todo, files, strict=True):
        if not file.is_file():
            folder = train(each, data, out, **accelerator(device))
            write_json(file, _measure(folder, each, variant, recipe.name, data, device))
        print(f"{each.name}: top-1 {json.loads(file.read_text())['test']['top1']:.3f}", flush=True)
    return files


def _recipe_in(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))["recipe"]


def _training(recipe: dict[str, Any]) -> dict[str, Any]:
    """What changes a run: not the words for people, such as the hours that it took."""
    return {k: v for k, v in recipe.items() if k not in ("title", "about", "hours")}


def _measure(
    folder: Path, recipe: Recipe, variant: str, base: str, data: str | Path, device: str
) -> dict[str, Any]:
    """A run on the test split, as its result file holds it."""
    model = load(folder, device)
    test = load_benchmark(recipe.data, data, "test")
    presets = PRESETS if recipe.attention else {"full": PRESETS["full"]}
    settings = accuracy(run(model, test, presets))
    return {
        "sweep": base,
        "variant": variant,
        "seed": recipe.seed,
        "command": f"lafe sweep {base} --variants {variant} --seeds {recipe.seed} --data DIR",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"lafe": __version__, "torch": torch.__version__},
        "recipe": recipe.to_dict(),
        "training": model.card.training,
        "photos": len(test),
        "classes": len(test.classes),
        "test": settings["full"],
        "presets": settings,
    }


def verdict(rows: Sequence[Row]) -> str:
    """LAFE against the plain backbone, and who loses to it; empty without a plain row."""
    by_variant = {row.variant: row for row in rows}
    plain = by_variant.get("plain")
    if plain is None or len(rows) < 2:
        return ""
    said = []
    if lafe := by_variant.get("lafe"):
        of_plain = dict(zip(plain.seeds, plain.top1, strict=True))
        pairs = zip(lafe.seeds, lafe.top1, strict=True)
        points = [number(100 * (t - of_plain[s]), "+.1f") for s, t in pairs if s in of_plain]
        if points:
            said.append(f"LAFE minus the plain backbone, seed by seed: {', '.join(points)} points.")
    losers = [ROWS[row.variant] for row in rows if row.mean < plain.mean]
    said.append(
        f"Below the plain backbone on average: {'; '.join(losers)}."
        if losers
        else "No row is below the plain backbone on average."
    )
    if len(plain.top1) == 1:
        said.append("One seed is a lead, not a finding.")
    return "  ".join(said)


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The result files of a folder, by the sweep they belong to."""
    sweeps: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        sweeps.setdefault(result["sweep"], []).append(result)
    return sweeps


def table(runs: Iterable[dict[str, Any]]) -> list[Row]:
    """The rows of one sweep, in the order of ``ROWS``."""
    runs = list(runs)
    rows = []
    for variant in ROWS:
        here = [r for r in runs if r["variant"] == variant]
        if here:
            here.sort(key=lambda r: r["seed"])
            top1, seeds = zip(*((r["test"]["top1"], r["seed"]) for r in here), strict=True)
            rows.append(Row(variant, top1, seeds, sum(r["training"]["hours"] for r in here)))
    return rows
