"""Decode every photo once and keep it in memory: cheaper than decoding it every epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from lafe.data.dataset import DataError, PhotoDataset


@dataclass(frozen=True, eq=False)
class Decoded:
    """The photos of a split that can be read.

    Attributes:
        dataset: without the others.
        pixels: uint8 (N, 3, size, size), in its order.
        files: those that cannot be read, as the listing names them.
        problems: a sentence for each of them.
    """

    dataset: PhotoDataset
    pixels: torch.Tensor
    files: tuple[str, ...]
    problems: tuple[str, ...]


def decode(dataset: PhotoDataset, size: int) -> torch.Tensor:
    """All photos, each squashed to a square (antialiased, bilinear): uint8 (N, 3, size, size).

    Raises:
        DataError: photos cannot be decoded; the message names all of them.
    """
    found = decode_readable(dataset, size)
    if found.problems:
        raise unreadable(found.problems)
    return found.pixels


def unreadable(problems: Sequence[str], way: str = "mend or remove them") -> DataError:
    """The refusal of photos that cannot be read: their number, what to do, a line each."""
    some = f"{len(problems)} photo{'s' * (len(problems) > 1)}"
    return DataError(f"{some} cannot be read: {way}.\n" + "\n".join(problems))


def decode_readable(dataset: PhotoDataset, size: int) -> Decoded:
    """The photos that can be read, and what is wrong with the others.

    Raises:
        DataError: none can be read.
    """
    pixels = torch.empty((len(dataset), 3, size, size), dtype=torch.uint8)

    def store(index: int) -> str:
        try:
            photo = dataset.photo(index).resize((size, size), Image.Resampling.BILINEAR)
        except DataError as error:
            return str(error)
        pixels[index] = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
        return ""

    # Threads suffice: Pillow decodes and resizes outside the interpreter lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = threads.map(store, range(len(dataset)))
        try:
            said = list(
                tqdm(jobs, total=len(dataset), desc=f"Decoding {dataset.name}", unit="photo")
            )
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    bad = [i for i, problem in enumerate(said) if problem]
    if not bad:
        return Decoded(dataset, pixels, (), ())
    good = [i for i, problem in enumerate(said) if not problem]
    problems = tuple(said[i] for i in bad)
    if not good:
        raise unreadable(problems)
    return Decoded(
        dataset.subset(good), pixels[good], tuple(dataset.subset(bad).listing()), problems
    )
