"""Training on many photos and classes: start-up, memory and time a step, as they grow.

Small photos are drawn into a folder, and `lafe train` runs some steps of the smallest network on
them, each time in a process of its own.  Seconds are those that a processor worked for it.

    python scripts/train_scale.py --out docs/training-scale.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lafe.measure import records
from lafe.measure.scaling import TrainingRun, TrainingScale
from lafe.train import loop
from lafe.train.module import TrainingModule
from lafe.train.recipe import Recipe

SIZES = ((2_000, 200), (20_000, 200), (20_000, 2_000))
"""Photos and classes of each run."""

SIDE, BATCH, STEPS, SKIPPED = 40, 16, 60, 10
"""Pixels, photos a step, steps, and how many of these come before the measure."""


def draw(folder: Path, photos: int, classes: int) -> None:
    """Photos of noise, in folders of their classes, equally many in each."""
    random = np.random.default_rng(0)
    for label in range(classes):
        own = folder / f"class_{label:04}"
        own.mkdir(parents=True)
        for i in range(photos // classes):
            pixels = random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(own / f"{i:03}.jpg", quality=60)


def child(data: Path, out: Path) -> dict[str, float]:
    """Train in this process; what it took."""
    recipe = Recipe(
        "scale", "folder", "test_resnet", 32, 36, epochs=1, lr=0.01, weights=None, batch_size=BATCH,
        objective="switched", val_fraction=0.1,
    )  # fmt: skip
    begun: list[float] = []
    step = TrainingModule.training_step

    def timed(self: TrainingModule, batch: Any, index: int) -> Any:
        begun.append(time.process_time())
        return step(self, batch, index)

    TrainingModule.training_step = timed  # type: ignore[method-assign]
    before, memory = time.process_time(), _memory()
    loop.train(recipe, data, out, accelerator="cpu", limit_train_batches=STEPS)
    return {
        "start_seconds": begun[0] - before,
        "step_seconds": (begun[-1] - begun[SKIPPED]) / (len(begun) - 1 - SKIPPED),
        "memory_mb": _memory() - memory,
    }


def _memory() -> float:
    """The most memory that this process has held, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("training-scale.json"))
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.child:
        print(json.dumps(child(*args.child)))
        return
    runs = []
    for photos, classes in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder, "photos")
            draw(data, photos, classes)
            command = [sys.executable, __file__, "--child", str(data), str(Path(folder, "runs"))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        took = {name: round(v, 3) for name, v in json.loads(done.stdout.splitlines()[-1]).items()}
        runs.append(TrainingRun(photos, classes, **took))
        print(runs[-1], flush=True)
    found = TrainingScale(
        machine=platform.machine(),
        torch=str(torch.__version__),
        load=round(os.getloadavg()[0], 1),
        network="test_resnet",
        pixels=36,
        batch=BATCH,
        runs=tuple(runs),
    )
    records.write(args.out, found)


if __name__ == "__main__":
    main()
