"""The benchmarks of the paper, PartBirds, FunnyBirds, any folder of class folders or of shards."""

from pathlib import Path

import numpy as np

from lafe.data.aircraft import LEVELS, read_aircraft
from lafe.data.cars import read_cars
from lafe.data.cub import read_cub, read_partbirds
from lafe.data.dataset import DataError, PhotoDataset, members_of
from lafe.data.folders import read_folder
from lafe.data.funnybirds import read_funnybirds
from lafe.data.shards import holds_shards, read_shards

KINDS = ("cub", "cars", "aircraft", "partbirds", "funnybirds", "folder")
SPLITS = ("train", "val", "trainval", "test")


def load_benchmark(
    kind: str,
    root: str | Path,
    split: str,
    *,
    val_fraction: float = 0.1,
    seed: int = 0,
    annotation_level: str = "variant",
) -> PhotoDataset:
    """One split of a data set.

    Where a data set has no official `val`, a share of each class's *training* photos is held out
    as `val` and `train` is the rest; `trainval` is both.  No split but `test` holds a test photo.

    Args:
        kind: "cub", "cars", "aircraft", "partbirds",
            "funnybirds" or "folder".
        root: the data set's folder or, for the benchmarks, its parent.  For a "folder" see
            :mod:`lafe.data.folders` and :mod:`lafe.data.shards`.
        split: "train", "val", "trainval" or "test".
        val_fraction: the share of each class that is held out as `val`.
        seed: which photos are held out as `val`; never which are `test`.
        annotation_level: for "aircraft": "variant", "family" or "manufacturer".

    Raises:
        DataError: the data set is missing or broken, or an argument is none of those named here.
    """
    _require_known("split", split, SPLITS)
    _require_known("annotation_level", annotation_level, tuple(LEVELS))
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}; it should lie between 0 and 1.")
    match _require_known("kind", kind, KINDS):
        case "folder":
            read = read_shards if holds_shards(root) else read_folder
            return read(root, split, val_fraction, seed)
        case "aircraft":
            return read_aircraft(root, split, annotation_level)
        case "cub":
            photos = read_cub(root, train=split != "test")
        case "partbirds":
            photos = read_partbirds(root, train=split != "test")
        case "funnybirds":
            photos = read_funnybirds(root, train=split != "test")
        case _:
            photos = read_cars(root, "test" if split == "test" else "train")
    if split in ("trainval", "test"):
        return photos
    held = _held_out(photos, val_fraction, seed)
    return photos.subset(np.flatnonzero(held == (split == "val")).tolist())


def _held_out(photos: PhotoDataset, fraction: float, seed: int) -> np.ndarray:
    """(N,) bool: a share of each class, drawn in the order of the file names.

    The checkpoints that come with the package were chosen on what this holds out.  At least one
    photo of a class is held out and at least one is not; of a class of one, none is.
    """
    held = np.zeros(len(photos), dtype=bool)
    for label, found in members_of(photos.labels):
        members = sorted(found, key=lambda i: photos.paths[i].as_posix())
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        chosen = np.random.default_rng([seed, label]).permutation(len(members))[:count]
        held[np.array(members)[chosen]] = True
    return held


def _require_known(what: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise DataError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")
    return value
