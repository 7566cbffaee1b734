"""The speed of predicting a folder, next to the forward pass alone: ratios of one run.

Sides take turns, so that a busy machine slows both.  Where a process may use one processor only
(``taskset -c 0``), seconds are those that the processor worked for it, whatever else ran there.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from lafe.batch.ahead import batches, read_ahead
from lafe.batch.jobs import Job, jobs
from lafe.batch.look import BATCH, WORKERS, Precision
from lafe.batch.on_ray import LOCAL, Actors, said_on_ray, start, stop
from lafe.batch.rows import Predictions, rows
from lafe.branches import Switches
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.measure import records

SIZES = (1, 4, 8, 16, 32)
"""Photos in a batch that are tried, as far as there are so many."""

THREADS = (0, 1, 2)
"""Threads that decode ahead that are tried."""


@dataclass(frozen=True)
class OnRay:
    """The same photos on Ray's workers.

    Attributes:
        workers: how many, a thread each.
        ratio: photos a second, over those of one process.
        start_seconds: until the first row, which is no part of the ratio.
    """

    workers: int
    ratio: float
    start_seconds: float


@dataclass(frozen=True)
class Throughput:
    """The contents of ``docs/throughput.json``.

    Attributes:
        machine, threads, processors, torch: where this was measured; how many it may use.
        checkpoint, device, photos: what was run.
        forward: by photos in a batch, photos a second of the forward pass alone.
        best_batch: the fastest of them.
        predict: predictions over the forward pass at its best batch, photos a second, with the
            defaults.
        versus: the same of two settings.
        workers: by threads that decode ahead, predictions over the forward pass.
        bf16: predictions in bfloat16 over those in float32, photos a second.
        bf16_changed: the share of photos whose class bfloat16 changes.
        ray: None unless it was asked for.
    """

    machine: str
    threads: int
    processors: int
    torch: str
    checkpoint: str
    device: str
    photos: int
    forward: Mapping[str, float]
    best_batch: int
    predict: float
    versus: float
    workers: Mapping[str, float]
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
        ray: also two of Ray's workers.
    """
    model = load(checkpoint, device).to(memory_format=torch.channels_last)
    todo = jobs([folder], model.card).todo[:photos]
    sizes = [size for size in SIZES if size <= len(todo)]
    forward = {size: _forward(model, len(todo), size) for size in sizes}
    seconds = _turns({str(size): side for size, side in forward.items()}, repeats)
    best = min(sizes, key=lambda size: seconds[str(size)])
    default = WORKERS[torch.device(device).type]
    threads = sorted({*THREADS, default})
    exact: list[str] = []
    half: list[str] = []
    sides = {f"{n} workers": _predict(model, todo, exact, workers=n) for n in threads}
    sides |= {
        "forward": forward[best],
        "versus": _predict(model, todo, exact, workers=default, versus=True),
        "bf16": _predict(model, todo, half, workers=default, precision="bf16"),
    }
    took = _turns(sides, repeats)
    took["predict"] = took[f"{default} workers"]
    found = Throughput(
        machine=platform.machine(),
        threads=torch.get_num_threads(),
        processors=_processors(),
        torch=str(torch.__version__),
        checkpoint=model.card.name,
        device=device,
        photos=len(todo),
        forward={size: round(len(todo) / s, 3) for size, s in seconds.items()},
        best_batch=best,
        predict=round(took["forward"] / took["predict"], 3),
        versus=round(took["forward"] / took["versus"], 3),
        workers={str(n): round(took["forward"] / took[f"{n} workers"], 3) for n in threads},
        bf16=round(took["predict"] / took["bf16"], 3),
        bf16_changed=round(sum(a != b for a, b in zip(exact, half, strict=True)) / len(todo), 4),
        ray=_on_ray(checkpoint, todo, took["predict"]) if ray else None,
    )
    records.write(out, found)
    print(_lines(found), flush=True)
    return found


Side = Callable[[], object]


def _turns(sides: Mapping[str, Side], repeats: int) -> dict[str, float]:
    """The median seconds of each side; they take turns, and the first turn is not counted."""
    clock = time.process_time if _processors() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            begun = clock()
            side()
            if turn:
                seconds[name].append(clock() - begun)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


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
    workers: int,
    versus: bool = False,
    precision: Precision = "float32",
) -> Side:
    question = Predictions(
        versus=Switches.parse("no region") if versus else None, precision=precision
    )
    size = BATCH[model.classifier.weight.device.type]

    def predict() -> None:
        read = read_ahead(todo, model.preprocess, workers, 2 * size)
        said = [one for batch in batches(read, size) for one in rows(model, question, batch)]
        classes[:] = [one.row["class"] for one in said]

    return predict


def _on_ray(checkpoint: str, todo: Sequence[Job], alone: float, workers: int = 2) -> OnRay:
    # Few photos at a time: the first rows come early, and the workers are done together.
    actors = Actors(str(locate(checkpoint).absolute()), workers, "cpu", 1, 1)
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
    one = alone / len(todo)
    return OnRay(workers, round(rest * one / took, 3), round(running - begun - first * one, 2))


def _lines(found: Throughput) -> str:
    lines = [
        f"{found.checkpoint} on {found.device}, {found.photos} photos, {found.threads} threads",
        *(
            f"  forward, batches of {n:>3}: {r:8.3g} photos a second"
            for n, r in found.forward.items()
        ),
        f"  predict / forward at batches of {found.best_batch}: {found.predict:.2f}",
        f"  with --versus: {found.versus:.2f}",
        *(f"  with --workers {n}: {r:.2f}" for n, r in found.workers.items()),
        f"  bf16 / float32: {found.bf16:.2f}; classes changed: {100 * found.bf16_changed:.1f} %",
    ]
    if found.ray is not None:
        lines.append(
            f"  {found.ray.workers} workers of Ray / one process: {found.ray.ratio:.2f}, after "
            f"{found.ray.start_seconds:.0f} s to start"
        )
    return "\n".join(lines)
