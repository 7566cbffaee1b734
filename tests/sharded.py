"""Tar shards of class folders, for tests that read them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np


def pack(folders: Path, out: Path, *, count: int, seed: int, prefix: str = "") -> None:
    """Deal the photos of class folders to shards at random; each has its class's folder there."""
    out.mkdir(exist_ok=True)
    photos = sorted(folders.glob("*/*.png"))
    dealt = np.random.default_rng(seed).integers(0, count, len(photos))
    order = np.random.default_rng(seed).permutation(len(photos))
    for shard in range(count):
        with tarfile.open(out / f"{prefix}{shard:03}.tar", "w") as tar:
            for i in order:
                if dealt[i] == shard:
                    tar.add(photos[i], str(photos[i].relative_to(folders)))
