"""Decode every photo once and keep it in memory; or, of more than fit, whenever it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from lafe.data.dataset import DataError, PhotoDataset

SHARE = 0.5
"""The share of this machine's memory that decoded photos may take, all processes together."""


class OnDisk:
    """Photos that are decoded when they are asked for, as :func:`decode` would have.

    Indexed like its tensor: uint8, (3, size, size) for a number, else (n, 3, size, size).

    Args:
        dataset: all of whose photos can be read.
        size: side of the square in px.
    """

    def __init__(self, dataset: PhotoDataset, size: int) -> None:
        self.dataset, self.size = dataset, size

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int | slice | Tensor | Sequence[int]) -> Tensor:
        if isinstance(index, int):
            return _pixels(self.dataset, index, self.size)
        several = range(len(self))[index] if isinstance(index, slice) else map(int, index)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            read = threads.map(lambda i: _pixels(self.dataset, i, self.size), several)
            return torch.stack(list(read))


Pixels = Tensor | OnDisk
"""Decoded photos (N, 3, size, size) uint8, in memory or not."""


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
    pixels: Pixels
    files: tuple[str, ...]
    problems: tuple[str, ...]


def fits(photos: int, size: int, processes: int = 1) -> bool:
    """True if decoded photos take no more than ``SHARE`` of the memory.

    Args:
        photos: that each process keeps.
        size: side of the square in px.
        processes: on this machine.
    """
    if not hasattr(os, "sysconf"):  # Windows does not say
        return True
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return photos * 3 * size**2 * processes <= SHARE * memory


def decode(dataset: PhotoDataset, size: int) -> Tensor:
    """All photos, each squashed to a square (antialiased, bilinear): uint8 (N, 3, size, size).

    Raises:
        DataError: photos cannot be decoded; the message names all of them.
    """
    pixels = _empty(dataset, size)
    problems = [said for said in _each(dataset, _storing(dataset, pixels)) if said]
    if problems:
        raise unreadable(problems)
    return pixels


def unreadable(problems: Sequence[str], way: str = "mend or remove them") -> DataError:
    """The refusal of photos that cannot be read: their number, what to do, a line each."""
    some = f"{len(problems)} photo{'s' * (len(problems) > 1)}"
    return DataError(f"{some} cannot be read: {way}.\n" + "\n".join(problems))


def decode_readable(dataset: PhotoDataset, size: int, *, keep: bool = True) -> Decoded:
    """The photos that can be read, and what is wrong with the others.

    Args:
        dataset: of which every photo is decoded.
        size: side of the square in px.
        keep: in memory; else they are decoded again when they are asked for.

    Raises:
        DataError: none can be read.
    """
    pixels = _empty(dataset, size) if keep else None
    said = _each(dataset, _trying(dataset) if pixels is None else _storing(dataset, pixels))
    good = [i for i, problem in enumerate(said) if not problem]
    bad = [i for i, problem in enumerate(said) if problem]
    problems = tuple(said[i] for i in bad)
    if not good:
        raise unreadable(problems)
    files = tuple(dataset.subset(bad).listing()) if bad else ()
    readable = dataset.subset(good) if bad else dataset
    if pixels is None:
        return Decoded(readable, OnDisk(readable, size), files, problems)
    return Decoded(readable, pixels[good] if bad else pixels, files, problems)


def _empty(dataset: PhotoDataset, size: int) -> Tensor:
    return torch.empty((len(dataset), 3, size, size), dtype=torch.uint8)


def _pixels(dataset: PhotoDataset, index: int, size: int) -> Tensor:
    photo = dataset.photo(index).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)


def _storing(dataset: PhotoDataset, pixels: Tensor) -> Callable[[int], str]:
    def store(index: int) -> str:
        try:
            pixels[index] = _pixels(dataset, index, pixels.shape[-1])
        except DataError as error:
            return str(error)
        return ""

    return store


def _trying(dataset: PhotoDataset) -> Callable[[int], str]:
    def read(index: int) -> str:
        try:
            dataset.photo(index)
        except DataError as error:
            return str(error)
        return ""

    return read


def _each(dataset: PhotoDataset, do: Callable[[int], str]) -> list[str]:
    """One pass over the photos, by as many threads as there are processors."""
    # Threads suffice: Pillow decodes and resizes outside the interpreter lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs: Iterable[str] = threads.map(do, range(len(dataset)))
        try:
            return list(
                tqdm(jobs, total=len(dataset), desc=f"Decoding {dataset.name}", unit="photo")
            )
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
