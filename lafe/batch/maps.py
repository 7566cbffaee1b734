"""Maps of many photos as arrays, in shards that are each written in one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from lafe.batch.files import key
from lafe.batch.rows import TERMS, Said
from lafe.files import replacing

PATTERN = "maps-*.npz"


class Beside(Protocol):
    """Arrays that are kept of photos beside their rows, and written before them."""

    @property
    def held(self) -> int:
        """Photos whose rows wait until what is beside them is written, at once."""

    def write(self, photos: Sequence[Said]) -> None:
        """Write what is kept of some photos; nothing of those that could not be read."""


class MapShards:
    """A folder of ``maps-000000.npz``, ...: evidence for the class that each photo's row names.

    Arrays of a shard, for its N photos: ``photo`` and ``class`` (N,) text; ``backbone``, ``dis``
    and ``con`` (N, H_5, W_5) float32, which summed, plus ``bias`` (N,), are the logit.
    """

    held = 512

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.folder = folder
        there = sorted(folder.glob(PATTERN))
        if not resume:
            for file in there:
                file.unlink()
        numbers = [int(file.stem.rpartition("-")[2]) for file in there] if resume else []
        self._next = max(numbers, default=-1) + 1

    def write(self, photos: Sequence[Said]) -> None:
        """A shard of the photos that could be read; nothing for none."""
        good = [(said, said.maps.numpy()) for said in photos if said.maps is not None]
        if not good:
            return
        stacked = np.stack([maps for _, maps in good])
        arrays = {term: stacked[:, i] for i, term in enumerate(TERMS)}
        arrays["photo"] = np.array([key(said.row["photo"]) for said, _ in good])
        arrays["class"] = np.array([said.row["class"] for said, _ in good])
        arrays["bias"] = np.array([said.bias for said, _ in good], dtype=np.float32)
        with (
            replacing(self.folder / f"maps-{self._next:06}.npz") as draft,
            open(draft, "wb") as file,
        ):
            np.savez(file, **arrays)  # type: ignore[arg-type]
        self._next += 1
