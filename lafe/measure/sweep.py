"""Table 4: variants of one recipe, trained and tested alike, with several seeds.

Each run leaves one file, a :class:`Result`; the table is made of these and of nothing else.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lafe.checkpoints.store import load
from lafe.measure import predictions, records
from lafe.measure.metrics import accuracy
from lafe.measure.outputs import labelled_as, open_test_split, run
from lafe.measure.provenance import Provenance
from lafe.measure.report import Accuracy, Training
from lafe.render.text import number
from lafe.train.accelerator import accelerator
from lafe.train.recipe import Recipe, RecipeError
from lafe.train.variants import VARIANTS

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


PAPER = {
    "cub": (87.6, 87.2, 85.5, 86.8, 87.0, 84.5),
    "cars": (94.8, 94.6, 94.1, 94.2, 94.5, 92.9),
    "aircraft": (93.2, 92.9, 92.4, 92.7, 92.9, 90.3),
}
"""Top-1 of the first six of ``ROWS`` by data set, in percent: the paper's Table 4 (ResNet-50)."""


@dataclass(frozen=True)
class Result:
    """One run on test photos: the contents of a file under ``checkpoints/results/``.

    Attributes:
        sweep: the name of the recipe that all runs vary.
        variant: a key of ``ROWS``.
        recipe: of this run.
        photos, classes: of the test split.
        presets: by name of the setting, at inference: ``full`` alone.
        data: fingerprint of the test split; empty in files of version 0.1.
    """

    sweep: str
    variant: str
    seed: int
    source: Provenance
    recipe: Recipe
    training: Training
    photos: int
    classes: int
    presets: Mapping[str, Accuracy]
    data: str = ""

    @property
    def top1(self) -> float:
        return self.presets["full"].top1


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


@dataclass(frozen=True)
class BesidePaper:
    """The loss of a row against LAFE, in the paper and here, in points.

    Attributes:
        ours: mean over the seeds that both rows have.
        deviation: of the differences, seed by seed; None for one seed.
    """

    paper: float
    ours: float
    deviation: float | None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        paper, ours = number(self.paper, "+.1f"), number(self.ours, "+.1f")
        if round(self.ours, 1) == 0:
            return f"paper {paper}, ours {ours}{spread}: no difference"
        told = self.deviation is not None and abs(self.ours) > self.deviation
        sign = "same sign" if self.paper * self.ours > 0 else "not the same sign"
        doubt = "" if told else ", within its deviation" if self.deviation else ", one seed"
        return f"paper {paper}, ours {ours}{spread}: {sign}{doubt}"


def beside_paper(rows: Sequence[Row], data: str) -> dict[str, BesidePaper]:
    """The losses of the rows against LAFE; empty where the paper or this sweep lacks the rows."""
    points = dict(zip(ROWS, PAPER.get(data, ()), strict=False))
    lafe = next((row for row in rows if row.variant == "lafe"), None)
    found = {}
    for row in rows:
        if lafe is None or row is lafe or row.variant not in points:
            continue
        own = dict(zip(lafe.seeds, lafe.top1, strict=True))
        pairs = zip(row.seeds, row.top1, strict=True)
        if lost := [100 * (top1 - own[seed]) for seed, top1 in pairs if seed in own]:
            deviation = statistics.stdev(lost) if len(lost) > 1 else None
            paper = points[row.variant] - points["lafe"]
            found[row.variant] = BesidePaper(paper, statistics.fmean(lost), deviation)
    return found


def setting(run: Result) -> str:
    """The things that all runs of a sweep have in common, and the paper has not."""
    r = run.recipe
    cached = (
        f", frozen, its features of {r.views} augmented view{'s' * (r.views > 1)} a photo cached"
        if r.views
        else ""
    )
    epochs = f"{r.epochs} epoch{'s' * (r.epochs > 1)}"
    return f"{r.backbone} at {r.input_size} px{cached}; {run.classes} classes, {epochs}"


def title(rows: Iterable[Row]) -> str:
    """A heading: Table 4 leaves branches out of LAFE, other sweeps repeat a recipe."""
    if any(row.variant == "lafe" for row in rows):
        return "Table 4: branches left out in training"
    return "One recipe, several seeds"


def command(name: str, rows: Iterable[Row]) -> str:
    """The command that trains and tests the rows of a sweep."""
    rows = list(rows)
    variants = [row.variant for row in rows]
    asked = "" if variants == list(ROWS) else f" --variants {' '.join(variants)}"
    seeds = sorted({seed for row in rows for seed in row.seeds})
    return f"lafe sweep {name}{asked} --seeds {' '.join(map(str, seeds))} --data DIR"


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
        RecipeError: no such variant; or a result file of another recipe or of other photos.
        ReportError: a result file that cannot be read.
    """
    from lafe.train.loop import train
    from lafe.train.photos import TrainingPhotos

    unknown = sorted(set(variants) - set(VARIANTS))
    if unknown:
        raise RecipeError(f"There is no variant {unknown[0]!r}: choose among {', '.join(ROWS)}.")
    todo = [(v, recipe_of(recipe, v, seed)) for seed in seeds for v in variants]
    files = [Path(results) / f"{each.name}.json" for _, each in todo]
    for (_, each), file in zip(todo, files, strict=True):
        if file.is_file():
            _require_same(file, each, data)
    Path(results).mkdir(parents=True, exist_ok=True)
    photos: TrainingPhotos | None = None
    for (variant, each), file in zip(todo, files, strict=True):
        if not file.is_file():
            if photos is None or photos.recipe.seed != each.seed:
                photos = TrainingPhotos(each, Path(data))
            folder = train(each, data, out, photos=photos, **accelerator(device))
            kept = file.with_name(predictions.FOLDER.name) / f"{each.name}.csv"
            found = _measure(folder, each, variant, recipe.name, data, device, kept)
            records.write(file, found)  # last: this file says that the run is done
        print(f"{each.name}: top-1 {read(file).top1:.3f}", flush=True)
    return files


def _require_same(file: Path, recipe: Recipe, data: str | Path) -> None:
    """Refuse a result of something else, though its run's folder may be gone."""
    result = read(file)
    if _training(result.recipe) != _training(recipe):
        raise RecipeError(f"{file} is of another recipe: remove it, or rename the recipe.")
    test = open_test_split(recipe.data, data)
    there = (len(test), len(test.classes))
    if there != (result.photos, result.classes) or result.data not in ("", test.fingerprint()):
        raise RecipeError(
            f"{file} is of other photos: of {result.photos} of {result.classes} classes, and "
            f"{data} holds {there[0]} of {there[1]} to test on, or of other names.  Remove the "
            "file, or rename the recipe."
        )


def _training(recipe: Recipe) -> Recipe:
    """The recipe without words for people, such as the hours that it took: they change no run."""
    return replace(recipe, title="", about="", hours="")


def _measure(
    folder: Path, recipe: Recipe, variant: str, base: str, data: str | Path, device: str, kept: Path
) -> Result:
    """A run on the test split; its predictions go to the file ``kept``."""
    model = load(folder, device)
    split = open_test_split(recipe.data, data)
    test = labelled_as(model.card, split)
    training = Training.of(model.card.training)
    assert training is not None, "a run of our own says it"
    source = Provenance.now(
        f"lafe sweep {base} --variants {variant} --seeds {recipe.seed} --data DIR"
    )
    outputs = run(model, test)
    given = predictions.predicted(outputs.answers)
    predictions.write(kept, test, given, source, model.card.sha256)
    return Result(
        sweep=base,
        variant=variant,
        seed=recipe.seed,
        source=source,
        recipe=recipe,
        training=training,
        photos=len(test),
        classes=len(test.classes),
        presets=accuracy(outputs),
        data=split.fingerprint(),
    )


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


def read(file: Path) -> Result:
    """One run's result; ReportError if the file holds none."""
    result = records.read(file, Result)
    if result.variant not in ROWS or "full" not in result.presets:
        raise records.ReportError(
            f"{file} is of no row of the table, or without its top-1: measure again."
        )
    return result


def by_sweep(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Results by the sweep they belong to, in order."""
    sweeps: dict[str, list[Result]] = {}
    for result in results:
        sweeps.setdefault(result.sweep, []).append(result)
    return sweeps


def table(results: Iterable[Result]) -> list[Row]:
    """The rows of one sweep, in the order of ``ROWS``."""
    results = sorted(results, key=lambda r: r.seed)
    rows = []
    for variant in ROWS:
        here = [r for r in results if r.variant == variant]
        if here:
            top1, seeds = tuple(r.top1 for r in here), tuple(r.seed for r in here)
            rows.append(Row(variant, top1, seeds, sum(r.training.hours for r in here)))
    return rows
