"""Coloured squares in noise: a data set that a small network learns in three epochs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red_square": (200, 40, 40), "green_square": (40, 200, 40), "blue_square": (40, 40, 200)}
EACH, HELD = 12, 3  # photos of a class, and how many of them are held out
TRAINED = len(COLOURS) * (EACH - HELD)
BATCHES = 4


def write_photos(root: Path) -> Path:
    """Class folders in ``train``, ``val`` and ``test``; returns the root."""
    rng = np.random.default_rng(0)
    for split, count in (("train", EACH - HELD), ("val", HELD), ("test", 1)):
        for name, colour in COLOURS.items():
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
                pixels[16:48, 16:48] = colour
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


def in_processes(*jobs: Callable[[], object]) -> list[int | None]:
    """Run each job in a process of its own; the exit codes."""
    fork = multiprocessing.get_context("fork")  # everything is imported already
    processes = [fork.Process(target=job) for job in jobs]
    for p in processes:
        p.start()
    for p in processes:
        p.join(300)
    hung = [p for p in processes if p.is_alive()]
    for p in hung:
        p.kill()
    assert not hung
    return [p.exitcode for p in processes]
