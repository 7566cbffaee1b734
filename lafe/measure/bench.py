"""Speed, as ratios: two sides take turns within a run, so that a busy machine slows both.

Beside each ratio stands its floor, the ratio of the multiplications of convolutions and matrix
products, counted.  What these leave out (gates, pooling, batch norms) is memory traffic.
"""

from __future__ import annotations

import multiprocessing
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from captum.attr import ShapleyValueSampling
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count
from tqdm import tqdm

from lafe.branches import EVERY_BRANCH, SIDES, Switches
from lafe.checkpoints.store import available, load
from lafe.checkpoints.trained import Trained
from lafe.explain.ablation import factorial
from lafe.explain.controls import Controls
from lafe.explain.evidence import evidence
from lafe.explain.prepare import prepare
from lafe.measure import records
from lafe.model.compiled import compiled
from lafe.model.lafe import LAFE
from lafe.model.losses import ConLoss
from lafe.train.objectives import draw, loss_parts
from lafe.train.recipe import Recipe

CLASSES = 200
"""Classes of the model with random weights: CUB's."""
SAMPLES = 25
"""Captum's default number of orders."""
BATCH, TRAIN_SIZE = 16, 224
"""Photos in a training step, and their side in px; models for smaller photos keep their own."""
MEMORY_AT_MOST = 2.5
CPP_COMPILERS = ("c++", "g++", "clang++", "cl")

Side = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Two things to time against each other.

    Attributes:
        work, against: what they do.
        a, b: they do it.
        at_most: what the ratio a / b should be at most, for ResNet-50 at 448 px.
        repeats: how often each runs.
        floor: ratio of multiplications where it is known; else it is counted.
    """

    work: str
    against: str
    a: Side
    b: Side
    at_most: float
    repeats: int
    floor: float | None = None


@dataclass(frozen=True)
class Row:
    """The timing of a pair: ratio of medians, ratio of multiplications, medians in s."""

    work: str
    against: str
    ratio: float
    floor: float
    at_most: float
    seconds: tuple[float, float]
    repeats: int


@dataclass(frozen=True)
class ModelSpeed:
    """All pairs of a model, and the peak of memory of its factorial over its own, in GB.

    ``sha256``: of a checkpoint's weights; empty where they are random, and in old files.
    """

    rows: tuple[Row, ...]
    peak_memory_gb: float | None
    sha256: str = ""


@dataclass(frozen=True)
class Speed:
    """The contents of ``docs/bench.json``: machine and versions, and the models by name."""

    machine: str
    threads: int
    torch: str
    models: Mapping[str, ModelSpeed]


def run(
    backbone: str = "resnet50", size: int = 448, out: Path | None = None, repeats: int = 7
) -> Speed:
    """Time a backbone with random weights, then every checkpoint that is found.

    Prints a table for each model, and returns what ``out`` gets as JSON.

    Args:
        backbone: timm's name.
        size: of the input in px.
        out: the JSON file; none by default.
        repeats: of each side.  Captum's, with its 301 forward passes, runs once.

    Raises:
        ValueError: TorchCAM is not installed.
    """
    makers: dict[str, Callable[[], LAFE]] = {
        f"{backbone} at {size}": partial(LAFE, backbone, CLASSES, size)
    }
    makers |= {name: partial(load, name) for name in available()}
    models = {}
    for name, make in makers.items():
        model = make().eval()
        rows = tuple(measure(pair) for pair in tqdm(_pairs(model, repeats), desc=name, leave=False))
        weights = model.card.sha256 if isinstance(model, Trained) else ""
        models[name] = ModelSpeed(rows, peak_memory(make), weights)
        print(_table(name, models[name]), flush=True)
    speed = Speed(platform.machine(), torch.get_num_threads(), str(torch.__version__), models)
    if out is not None:
        records.write(out, speed)
    return speed


def measure(pair: Pair) -> Row:
    """Count each side's multiplications, which warms it up too; then let them take turns."""
    floor = pair.floor
    if floor is None:
        floor = multiplications(pair.a) / multiplications(pair.b)
    seconds: dict[Side, list[float]] = {pair.a: [], pair.b: []}
    for turn in range(pair.repeats):
        for side in (pair.a, pair.b) if turn % 2 == 0 else (pair.b, pair.a):
            start = time.perf_counter()
            side()
            seconds[side].append(time.perf_counter() - start)
    a, b = (statistics.median(seconds[side]) for side in (pair.a, pair.b))
    return Row(pair.work, pair.against, a / b, floor, pair.at_most, (a, b), pair.repeats)


def multiplications(side: Side) -> int:
    """Multiplications of convolutions and matrix products, in the forward and the backward pass."""
    with FlopCounterMode(display=False, custom_mapping=_COUNTED) as counter:
        side()
    return int(counter.get_total_flops()) // 2


def _convolution_back(*shapes: Any, out_shape: object = None) -> int:
    """Each gradient that is wanted takes what the forward pass takes.

    PyTorch's own count is that of a convolution without groups: for a depthwise one, far too much.
    """
    out, x, weight, *_, transposed, _, _, wanted = shapes
    return int(sum(wanted[:2]) * conv_flop_count(x, weight, out, transposed=transposed))


_COUNTED = {torch.ops.aten.convolution_backward: _convolution_back}


def _pairs(model: LAFE, repeats: int) -> Iterator[Pair]:
    x = torch.randn(1, 3, model.input_size, model.input_size)
    on = Switches.all()
    photo = prepare(model, x)
    table = factorial(photo)

    @torch.no_grad()
    def forward() -> object:
        return model(x)

    @torch.no_grad()
    def backbone() -> object:
        return model.backbone(x)

    @torch.no_grad()
    def game(mask: Tensor) -> Tensor:
        players = zip(EVERY_BRANCH, mask[0].tolist(), strict=True)
        logits: Tensor = model(x, Switches.only(*(branch for branch, on in players if on)))
        return logits[:, 0]

    def sampling() -> object:
        mask = torch.ones(1, len(EVERY_BRANCH))
        return ShapleyValueSampling(game).attribute(mask, n_samples=SAMPLES)

    def settings() -> object:
        return factorial(prepare(model, x))

    def explain(with_model: LAFE = model) -> object:
        return evidence(prepare(with_model, x), target=0)

    yield Pair("LAFE forward", "its backbone", forward, backbone, 1.8, repeats)
    yield Pair("factorial: 4,096 settings", "LAFE forward", settings, forward, 5, repeats)
    passes = SAMPLES * len(EVERY_BRANCH) + 1
    floor = multiplications(settings) / (passes * multiplications(forward))
    name = f"Captum's sampling, {passes} passes"
    yield Pair("factorial: 4,096 settings", name, settings, sampling, 1 / 40, 1, floor)
    lookup = partial(table.logits, on)
    yield Pair("a setting's logits, table", "LAFE forward", lookup, forward, 1 / 200, repeats)
    seeds = count()

    def fused() -> object:
        return photo.under(Controls(seed=next(seeds))).fused(on)  # kept for the other seeds only

    yield Pair("a setting's maps, prepared", "LAFE forward", fused, forward, 0.65, repeats)
    fast = compiled(model) if any(map(shutil.which, CPP_COMPILERS)) else None
    if fast is not None:
        torch.compiler.reset()  # so many graphs a process, not a model
        explain(fast)  # waits for the compiler; the multiplications of its graphs go uncounted
    with _grad_cam(model, x) as (against, grad_cam):
        work = "evidence, with the forward"
        yield Pair(work, against, explain, grad_cam, 0.5, repeats)
        if fast is not None:
            floor = multiplications(explain) / multiplications(grad_cam)
            work = "evidence, compiled"
            yield Pair(work, against, partial(explain, fast), grad_cam, 0.5, repeats, floor)
    step, plain_step = _training_step(model), _training_step(model, attention=False)
    work = f"training step, batch {BATCH}"
    yield Pair(work, "plain backbone's step", step, plain_step, 1.9, repeats)


@contextmanager
def _grad_cam(model: LAFE, x: Tensor) -> Iterator[tuple[str, Side]]:
    """GradCAM's maps of the three layers that evidence is about: f_5, D and C; with its name.

    Up to TorchCAM 0.4 its backward pass runs through the whole model, since 0.5 to those layers.
    """
    from torchcam import __version__
    from torchcam.methods import GradCAM

    nodes = model.backbone.body.graph.nodes  # the stages themselves are no calls in torch.fx
    last = [node.target for node in nodes if node.op == "call_module"][-1]
    layers: list[Any] = [f"backbone.body.{last}"]
    layers += [SIDES[side] for side in model.sides]
    with GradCAM(model, layers) as cam:

        def explain() -> object:
            cam.enable_hooks()
            try:
                return cam(0, model(x))
            finally:
                cam.disable_hooks()  # the other side's passes are not its own

        cam.disable_hooks()
        yield f"TorchCAM {__version__}'s GradCAM", explain


def _training_step(model: LAFE, **options: bool) -> Side:
    """One step of the paper's objective for a fresh model of this kind."""
    size = min(TRAIN_SIZE, model.input_size)
    config = model.config | {"input_size": size} | options
    recipe = Recipe(
        "bench", "folder", config["backbone"], size, size, epochs=1, lr=0.01, objective="paper"
    )
    fresh = LAFE(**config).train().to(memory_format=torch.channels_last)
    con = ConLoss(fresh.backbone.channels[-1], config["num_classes"])
    parameters = [*fresh.parameters(), *con.parameters()]
    optimizer = torch.optim.SGD(parameters, recipe.lr, recipe.momentum)
    x = torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) // 2  # pairs of neighbours

    def step() -> None:
        optimizer.zero_grad()
        parts = loss_parts(fresh, con, recipe, x, labels, draw(recipe, 0, len(x) // 2))
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()

    return step


def peak_memory(make: Callable[[], LAFE]) -> float | None:
    """Peak of resident memory in GB while :func:`lafe.factorial` runs, over the model's own.

    In a process of its own.  ``None`` where there is no ``/proc`` (Linux only).
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_peak_memory, make, torch.get_num_threads()).result()


def _peak_memory(make: Callable[[], LAFE], threads: int) -> float | None:
    torch.set_num_threads(threads)
    model = make().eval()
    x = torch.randn(1, 3, model.input_size, model.input_size)
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    reset.write_text("5")  # the peak is now what is resident
    before = _resident(status)
    factorial(prepare(model, x))
    return (_resident(status) - before) / 1e6


def _resident(status: Path) -> int:
    """Peak of resident memory in kB."""
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def _table(name: str, model: ModelSpeed) -> str:
    def line(work: str, against: str, *cells: str) -> str:
        return f"  {work:28} {against:30}" + "".join(f"{cell:>10}" for cell in cells)

    def ratio(value: float) -> str:
        return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"

    lines = [name, line("work", "against", "ratio", "floor", "at most", "s", "s")]
    for r in model.rows:
        ratios = map(ratio, (r.ratio, r.floor, r.at_most))
        lines.append(line(r.work, r.against, *ratios, *(f"{s:.3g}" for s in r.seconds)))
    memory = model.peak_memory_gb
    found = "not measured" if memory is None else f"{memory:.2f} GB"
    lines.append(
        line("factorial: peak memory", "the model's own", found, "", f"{MEMORY_AT_MOST} GB")
    )
    return "\n".join(lines)
