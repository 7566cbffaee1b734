"""The speed of predicting a folder, next to the forward pass alone: ratios of one run.

Sides take turns, so that a busy machine slows both.  On a machine that is busy with other programs
seconds may be those that processors worked for this process, whatever else ran there.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import torch

from lafe.batch.ahead import batches, read_ahead
from lafe.batch.files import ParquetRows
from lafe.batch.jobs import Job, jobs
from lafe.batch.look import BATCH, WORKERS, Precision
from lafe.batch.on_ray import LOCAL, Actors, said_on_ray, start, stop
from lafe.batch.rows import Predictions, rows
from lafe.branches import Switches
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.measure import records

SIZES = (1, 2, 4, 8, 16)
"""Photos in a batch that are tried, as far as there are so many."""

THREADS = (0, 1, 2)
"""Threads that decode ahead that are tried."""


ROWS = 10_000
"""Rows that are written to a file, to see how fast."""


@dataclass(frozen=True)
class OnRay:
    """The same photos on Ray's workers.

    Attributes:
        workers: how many, a thread each.
        photos: that each side did.
        ratio: photos a second, over those of one process before and after, by the clock.
        start_seconds: until the first row, which is no part of the ratio.
    """

    workers: int
    photos: int
    ratio: float
    start_seconds: float


@dataclass(frozen=True)
class Throughput:
    """The contents of ``docs/throughput.json``.

    Attributes:
        machine, threads, processors, torch: where this was measured; how many it may use.
        clock: ``wall``, or ``processor`` for seconds that processors worked for the process.
        load: how many processes wanted to run when it began, over a minute; 0 where it is unknown.
        checkpoint, device, photos: what was run.
        forward: by photos in a batch, photos a second of the forward pass alone.
        best_batch: the fastest of them.
        predictions: by photos in a batch, predictions over the forward pass at its best batch,
            photos a second.
        batch: photos in a batch unless one says otherwise; what follows is with so many.
        predict: predictions over the forward pass, with the defaults.
        versus: the same of two settings.
        workers: the same by threads that decode ahead.
        decode: photos a second that are decoded and resized alone, over the forward pass.
        written: rows a second that go to shards of Parquet.
        bf16: predictions in bfloat16 over those in float32, photos a second.
        bf16_changed: the share of photos whose class bfloat16 changes.
        ray: None unless it was asked for.
    """

    machine: str
    threads: int
    processors: int
    clock: Literal["wall", "processor"]
    load: float
    torch: str
    checkpoint: str
    device: str
    photos: int
    forward: Mapping[str, float]
    best_batch: int
    predictions: Mapping[str, float]
    batch: int
    predict: float
    versus: float
    workers: Mapping[str, float]
    decode: float
    written: float
    bf16: float
    bf16_changed: float
    ray: OnRay | None


def throughput(
    checkpoint: str,
    folder: str | Path,
    out: Path,
    *,
    device: str = "cpu",
    photos: int = 64,
    repeats: int = 2,
    busy: bool = False,
    ray: bool = False,
) -> Throughput:
    """Measure a folder's photos, print what was found, and write it.

    Args:
        checkpoint: its name or folder.
        folder: of photos; the first are taken.
        out: the JSON file.
        device: of torch.
        photos: the most that are taken.
        repeats: turns of each side.
        busy: count the seconds that processors worked for this process, instead of the clock's.
        ray: also two of Ray's workers; both sides by the clock.
    """
    load_before = _load()
    model = load(checkpoint, device).to(memory_format=torch.channels_last)
    todo = jobs([folder], model.card).todo[:photos]
    sizes = [size for size in SIZES if size <= len(todo)]
    size, default = (table[torch.device(device).type] for table in (BATCH, WORKERS))
    threads = sorted({*THREADS} - {default})
    exact: list[str] = []
    half: list[str] = []
    predict = partial(_predict, model, todo, size=size, workers=default)
    sides: dict[str, Side] = {"predict": predict(exact)}
    for n in sizes:
        sides[f"forward {n}"] = _forward(model, len(todo), n)
        sides[f"predict {n}"] = predict([], size=n)
    sides |= {f"{n} workers": predict([], workers=n) for n in threads}
    sides |= {"versus": predict([], versus=True), "bf16": predict(half, precision="bf16")}
    sides |= {"decode": partial(_decode, model, todo), "written": _write}
    took = _turns(sides, repeats, time.process_time if busy else time.perf_counter)
    took[f"{default} workers"] = took["predict"]
    best = min(sizes, key=lambda n: took[f"forward {n}"])
    took["forward"] = took[f"forward {best}"]
    found = Throughput(
        machine=platform.machine(),
        threads=torch.get_num_threads(),
        processors=_processors(),
        clock="processor" if busy else "wall",
        load=round(load_before, 1),
        torch=str(torch.__version__),
        checkpoint=model.card.name,
        device=device,
        photos=len(todo),
        forward={str(n): round(len(todo) / took[f"forward {n}"], 3) for n in sizes},
        best_batch=best,
        predictions={str(n): round(took["forward"] / took[f"predict {n}"], 3) for n in sizes},
        batch=size,
        predict=round(took["forward"] / took["predict"], 3),
        versus=round(took["forward"] / took["versus"], 3),
        workers={
            str(n): round(took["forward"] / took[f"{n} workers"], 3)
            for n in sorted({*threads, default})
        },
        decode=round(took["forward"] / took["decode"], 1),
        written=float(f"{ROWS / took['written']:.2g}"),
        bf16=round(took["predict"] / took["bf16"], 3),
        bf16_changed=round(sum(a != b for a, b in zip(exact, half, strict=True)) / len(todo), 4),
        ray=_on_ray(checkpoint, todo, predict([])) if ray else None,
    )
    records.write(out, found)
    print(_lines(found), flush=True)
    return found


Side = Callable[[], object]


def _turns(sides: Mapping[str, Side], repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """The median seconds of each side; they take turns, and the first turn is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            begun = clock()
            side()
            if turn:
                seconds[name].append(clock() - begun)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def _load() -> float:
    """Processes that wanted to run over the last minute; 0 where a system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _processors() -> int:
    """The processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _forward(model: Trained, photos: int, size: int) -> Side:
    weight = model.classifier.weight
    x = torch.randn(size, 3, model.input_size, model.input_size, device=weight.device)
    x = x.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward() -> object:
        done = 0
        while done < photos:
            logits = model(x[: photos - done])
            done += size
        return logits.cpu()

    return forward


def _predict(
    model: Trained,
    todo: Sequence[Job],
    classes: list[str],
    *,
    size: int,
    workers: int,
    versus: bool = False,
    precision: Precision = "float32",
) -> Side:
    question = Predictions(
        versus=Switches.parse("no region") if versus else None, precision=precision
    )

    def predict() -> None:
        read = read_ahead(todo, model.preprocess, workers, 2 * size)
        said = [one for batch in batches(read, size) for one in rows(model, question, batch)]
        classes[:] = [one.row["class"] for one in said]

    return predict


def _decode(model: Trained, todo: Sequence[Job]) -> None:
    for job in todo:
        model.preprocess(job.open())


def _write() -> None:
    question = Predictions()
    known = {"class": "a class of birds", "true": "another", "probability": 0.5, "familiar": True}
    row = dict.fromkeys(question.columns) | known
    with tempfile.TemporaryDirectory() as folder:
        out = ParquetRows(Path(folder), question.columns, {}, sharded=True, force=False)
        out.write([row | {"photo": f"a/folder/of/birds/{i:06}.jpg"} for i in range(ROWS)])
        out.close(whole=True)


def _on_ray(checkpoint: str, todo: Sequence[Job], alone: Side, workers: int = 2) -> OnRay:
    """Ray's workers between two turns of one process."""

    def turn() -> float:
        begun = time.perf_counter()
        alone()
        return time.perf_counter() - begun

    # Few photos at a time: the first rows come early, and the workers are done together.
    actors = Actors(str(locate(checkpoint).absolute()), workers, "cpu", 1, 1)
    os.environ.setdefault("RAY_worker_niceness", "0")  # else it gives way to the other side
    before = turn()
    begun = time.perf_counter()
    start(LOCAL)
    try:
        said = said_on_ray(Predictions(), todo, actors)
        first = sum(1 for _ in islice(said, 1))
        running = time.perf_counter()
        rest = sum(1 for _ in said)
        took = time.perf_counter() - running
    finally:
        stop()
    one = (before + turn()) / 2 / len(todo)
    starting = running - begun - first * one
    return OnRay(workers, len(todo), round(rest * one / took, 3), round(starting, 2))


def _lines(found: Throughput) -> str:
    lines = [
        f"{found.checkpoint} on {found.device}, {found.photos} photos, {found.threads} threads",
        *(
            f"  forward, batches of {n:>3}: {r:8.3g} photos a second"
            for n, r in found.forward.items()
        ),
        *(
            f"  predict in batches of {n:>3} / forward in its best, of {found.best_batch}: {r:.2f}"
            for n, r in found.predictions.items()
        ),
        f"  predict / forward, with the defaults (batches of {found.batch}): {found.predict:.2f}",
        f"  with --versus: {found.versus:.2f}",
        *(f"  with --workers {n}: {r:.2f}" for n, r in found.workers.items()),
        f"  decoding alone / forward: {found.decode:.0f}",
        f"  rows written: {found.written:.0f} a second",
        f"  bf16 / float32: {found.bf16:.2f}; classes changed: {100 * found.bf16_changed:.1f} %",
    ]
    if found.ray is not None:
        lines.append(
            f"  {found.ray.workers} workers of Ray / one process: {found.ray.ratio:.2f}, after "
            f"{found.ray.start_seconds:.0f} s to start"
        )
    return "\n".join(lines)
