"""Speed and growth in words: what README.md and docs/scale.md say from files of figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lafe.measure import records
from lafe.measure.markdown import table
from lafe.measure.throughput import Throughput
from lafe.render.text import number

SPEED, GROWTH = "docs/throughput.json", "docs/training-scale.json"
MILLION = 1_000_000
WORKERS = (1, 2, 16, 128)
"""Numbers of workers whose cost is told; those of more than Ray was tried on are computed."""


@dataclass(frozen=True)
class TrainingRun:
    """A training of some steps.

    Attributes:
        photos, classes: of the folder.
        start_seconds: from the call to the first step.
        step_seconds: of a step, the mean over those after the first.
        memory_mb: the most that the process held, over what it held before the call.
    """

    photos: int
    classes: int
    start_seconds: float
    step_seconds: float
    memory_mb: float


@dataclass(frozen=True)
class TrainingScale:
    """The contents of ``docs/training-scale.json``, which ``scripts/train_scale.py`` writes.

    Seconds are those that one processor worked for it.

    Attributes:
        machine, torch, load: where it was measured, and how many processes wanted to run.
        network, pixels, batch: what was trained, on photos that are kept at so many px a side.
        runs: of growing numbers of photos and classes.
    """

    machine: str
    torch: str
    load: float
    network: str
    pixels: int
    batch: int
    runs: tuple[TrainingRun, ...]


def sentence(root: Path) -> str:
    """The speed of predictions, for README.md; empty if it was not measured."""
    if not (root / SPEED).is_file():
        return ""
    found = records.read(root / SPEED, Throughput)
    said = (
        f"On one core, `{found.checkpoint}` on {found.photos} photos: predictions have "
        f"{found.predict:.2f} of the rate of the forward pass alone at its best batch, "
        f"{found.versus:.2f} under two settings; bfloat16 has {found.bf16:.2f} times the rate of "
        f"float32, and changes the class of {_changed(found)}."
    )
    if (ray := found.ray) is not None:
        said += (
            f"  {ray.workers} workers of Ray have {ray.ratio:.2f} times the rate of one process."
        )
    return f"{said}  From {_link(SPEED, 'docs/')}, by `lafe bench --folder`.\n"


def speed(root: Path) -> str:
    """The speed of predictions, for docs/scale.md."""
    found = records.read(root / SPEED, Throughput)
    best = found.forward[str(found.best_batch)]
    clock = "by the clock"
    if found.clock == "processor":
        clock = "in seconds that processors worked for it, as other programs ran too"
    head = ["photos in a batch", "forward", "predictions"]
    rows = [
        [size, f"{rate / best:.2f}", f"{found.predictions[size]:.2f}"]
        for size, rate in found.forward.items()
    ]
    workers = ", ".join(f"{n}: {ratio:.2f}" for n, ratio in found.workers.items())
    said = (
        f"{_link(SPEED)}: `{found.checkpoint}`, {found.photos} photos, {found.device}, "
        f"{found.threads} thread, {clock} (load {found.load:g}).  Rates are over that of the "
        f"forward pass alone at its best batch, {best:.1f} photos a second:\n\n"
        f"{table(head, rows)}\n"
        f"The default on a CPU is {found.batch}.  With it predictions have {found.predict:.2f}; "
        f'{found.versus:.2f} with `--versus "no region"`, whose branches and fusions run a second '
        f"time; by `--workers`, {workers}.  bfloat16 has {found.bf16:.2f} times the rate of "
        f"float32, and changes the class of {_changed(found)}.  Decoding alone is "
        f"{found.decode:.0f} times as fast as the forward pass.\n"
    )
    if (ray := found.ray) is not None:
        said += (
            f"\n{ray.workers} workers of Ray have {ray.ratio:.2f} times the rate of one process "
            f"that ran before and after them, by the clock, after {ray.start_seconds:.0f} s to "
            f"start, on {ray.photos} photos in the same run{_shared(found)}.\n"
        )
    return said


def growth(root: Path) -> str:
    """Training on more photos and classes, for docs/scale.md."""
    found = records.read(root / GROWTH, TrainingScale)
    few, photos, classes = found.runs
    head = ["photos", "classes", "until the first step, s", "memory, MB", "a step, ms"]
    rows = [
        [
            f"{run.photos:,}",
            f"{run.classes:,}",
            f"{run.start_seconds:.1f}",
            f"{run.memory_mb:.0f}",
            f"{1000 * run.step_seconds:.0f}",
        ]
        for run in found.runs
    ]
    by_photos = partial(_slope, few, photos, (photos.photos - few.photos) / 1000)
    by_classes = partial(_slope, photos, classes, (classes.classes - photos.classes) / 1000)
    return (
        f"{_link(GROWTH)}, by `scripts/train_scale.py`: `lafe train` of `{found.network}` on drawn "
        f"photos that are kept at {found.pixels} px, {found.batch} a step, in seconds that one "
        f"processor worked for it (load {found.load:g}).\n\n{table(head, rows)}\n"
        f"A further thousand photos: {number(by_photos('start_seconds'), '+.2f')} s until the "
        f"first step and {number(by_photos('memory_mb'), '+.1f')} MB, of which decoded photos are "
        f"{3 * found.pixels**2 / 1000:.1f}.  A further thousand classes: "
        f"{number(by_classes('start_seconds'), '+.2f')} s, "
        f"{number(by_classes('memory_mb'), '+.1f')} MB and "
        f"{number(1000 * by_classes('step_seconds'), '+.1f')} ms a step.  Where a slope is below "
        "0, other programs made more of a difference than what grew.\n"
    )


def cost(root: Path) -> str:
    """The cost of a million photos on N workers, for docs/scale.md: measured, and computed."""
    found = records.read(root / SPEED, Throughput)
    seconds = 1 / (found.forward[str(found.best_batch)] * found.predict)
    hours = seconds * MILLION / 3600
    ray = found.ray
    share = 1.0 if ray is None else min(1.0, ray.ratio / ray.workers)
    rows = [
        [
            f"{count}",
            f"{hours / (share if count > 1 else 1) / count:.1f}",
            f"{hours / (share if count > 1 else 1):.0f}",
        ]
        for count in WORKERS
    ]
    told = "Ray was not measured: the table takes it for free.  "
    if ray is not None:
        told = (
            f"With {ray.workers} workers of Ray, each has {share:.2f} of the rate of one "
            f"process{_shared(found)}, and the start takes {ray.start_seconds:.0f} s.  "
        )
    head = ["workers", "hours for a million photos", "core-hours"]
    return (
        f"Measured: a photo takes {1000 * seconds:.0f} ms of a core (`{found.checkpoint}`, "
        f"float32, batches of {found.batch}).  {told}One process writes {found.written:,.0f} rows "
        "a second to Parquet.\n\n"
        "Computed from these, and not tried: that a million photos cost a million times what one "
        "does, and that any number of workers keep the share of "
        f"{ray.workers if ray else 'one'}:\n\n{table(head, rows)}\n"
        "The next limit is the one process that writes rows, which "
        f"{found.written * seconds:,.0f} such workers would keep busy, without what Ray takes to "
        "bring them the rows; it also holds the names of all photos.  Decoding is no limit of a "
        f"CPU.  It is one of a GPU that is {found.decode:.0f} times as fast as this core, or more: "
        "`--workers` are for that.\n"
    )


def _shared(found: Throughput) -> str:
    """A note that other programs had a part of the cores, where they had."""
    if found.clock == "wall":
        return ""
    return f" (on {found.processors} cores that other programs used, too: load {found.load:g})"


def _changed(found: Throughput) -> str:
    count = round(found.bf16_changed * found.photos)
    return f"{count} of {found.photos} photos ({100 * found.bf16_changed:.1f} %)"


def _link(file: str, folder: str = "") -> str:
    name = Path(file).name
    return f"[{name}]({folder}{name})"


def _slope(one: TrainingRun, other: TrainingRun, by: float, field: str) -> float:
    more: float = getattr(other, field) - getattr(one, field)
    return more / by
