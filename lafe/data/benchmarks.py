"""The three benchmarks of the paper, and any folder of class-named folders, by one function."""

import os
from pathlib import Path

import numpy as np
from torchvision.datasets import FGVCAircraft, StanfordCars
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from lafe.data import cub
from lafe.data.dataset import DataError, PhotoDataset

KINDS = ("cub", "cars", "aircraft", "folder")
SPLITS = ("train", "val", "trainval", "test")
TEST_FRACTION = 0.2


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
        kind: "cub", "cars", "aircraft" or "folder".
        root: the data set's folder or, for the benchmarks, its parent.  A "folder" holds
            `train/CLASS/*`, `test/CLASS/*` and perhaps `val/CLASS/*`; or `CLASS/*` only, of which
            a fifth is held out as `test`.
        split: "train", "val", "trainval" or "test".
        val_fraction: the share of each class that is held out as `val`; of two photos or more,
            at least one is held out and one is not.
        seed: which photos are held out as `val`; never which are `test`.
        annotation_level: for "aircraft": "variant", "family" or "manufacturer".

    Raises:
        DataError: the data set is missing or broken.
        ValueError: an argument is none of those named here.
    """
    _require_known("split", split, SPLITS)
    if not 0 < val_fraction < 1:
        raise ValueError(f"val_fraction is {val_fraction}; it should lie between 0 and 1.")
    match _require_known("kind", kind, KINDS):
        case "aircraft":
            return _read_aircraft(root, split, annotation_level)
        case "cub":
            home = _locate(root, "CUB_200_2011", cub.FILES)
            photos = cub.read_cub(home, train=split != "test")
        case "cars":
            photos = _read_cars(root, "test" if split == "test" else "train")
        case _:
            home = Path(root)
            if (home / "val").is_dir() and (home / "train").is_dir() and split != "test":
                return _read_official_folder(home, split)
            photos = _read_folder(home, "test" if split == "test" else "train")
    if split in ("trainval", "test"):
        return photos
    held = _held_out(photos, val_fraction, seed)
    return photos.subset(np.flatnonzero(held == (split == "val")).tolist())


def _read_cars(root: str | Path, split: str) -> PhotoDataset:
    home = _locate(
        root,
        "stanford_cars",
        ("devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_train")
        if split == "train"
        else ("devkit/cars_meta.mat", "cars_test_annos_withlabels.mat", "cars_test"),
    )
    try:
        cars = StanfordCars(home.parent, split)
    except Exception as error:  # SciPy's reader has no common base class for its errors
        raise DataError(f"The annotations in {home} cannot be read ({error}).") from error
    return PhotoDataset(
        name="Stanford Cars",
        paths=[Path(path) for path, _ in cars._samples],
        labels=[int(label) for _, label in cars._samples],
        classes=[str(name) for name in cars.classes],
    )


def _read_aircraft(root: str | Path, split: str, level: str) -> PhotoDataset:
    plural = {"variant": "variants", "family": "families", "manufacturer": "manufacturers"}
    _require_known("annotation_level", level, tuple(plural))
    home = _locate(
        root,
        "fgvc-aircraft-2013b",
        ("data/images", f"data/{plural[level]}.txt", f"data/images_{level}_{split}.txt"),
    )
    try:
        aircraft = FGVCAircraft(home.parent, split, annotation_level=level)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"The annotations in {home / 'data'} cannot be read ({error}).") from error
    return PhotoDataset(
        name="FGVC-Aircraft",
        paths=[Path(path) for path in aircraft._image_files],
        labels=list(aircraft._labels),
        classes=list(aircraft.classes),
    )


def _read_folder(home: Path, split: str) -> PhotoDataset:
    """All training photos or all test photos of a folder of class-named folders."""
    if (home / "train").is_dir():
        return _read_class_folders(home, home / split)
    photos = _read_class_folders(home, home)
    # A fixed seed: a test photo stays one whatever seed a training is given.
    held = _held_out(photos, TEST_FRACTION, seed=0)
    return photos.subset(np.flatnonzero(held == (split == "test")).tolist())


def _read_official_folder(home: Path, split: str) -> PhotoDataset:
    """`train`, `val` or both of a folder that has its own `val`."""
    if split != "trainval":
        return _read_class_folders(home, home / split)
    train, val = (_read_class_folders(home, home / part) for part in ("train", "val"))
    return PhotoDataset(
        train.name, train.paths + val.paths, train.labels + val.labels, train.classes
    )


def _read_class_folders(home: Path, folder: Path) -> PhotoDataset:
    """The photos in `folder`/CLASS/*, labelled by the classes of the training folder."""
    train = home / "train" if (home / "train").is_dir() else home
    for needed in (train, folder):
        if not needed.is_dir():
            raise DataError(
                f"{needed} is missing: a folder data set holds train/CLASS/*.jpg and "
                "test/CLASS/*.jpg, or CLASS/*.jpg only."
            )
    classes, here = _class_names(train), _class_names(folder)
    strangers = sorted(set(here) - set(classes))
    if strangers:
        raise DataError(f"{folder / strangers[0]} is a class that {train} does not have.")
    try:
        samples = make_dataset(
            folder,
            {name: label for label, name in enumerate(classes)},
            extensions=IMG_EXTENSIONS,
            allow_empty=folder != train,
        )
    except FileNotFoundError as error:
        raise DataError(f"{folder} should hold photos of every class ({error}).") from error
    return PhotoDataset(
        name=Path(os.path.abspath(home)).name,
        paths=[Path(path) for path, _ in samples],
        labels=[label for _, label in samples],
        classes=[name.replace("_", " ") for name in classes],
    )


def _class_names(folder: Path) -> list[str]:
    try:
        names, _ = find_classes(folder)
    except FileNotFoundError as error:
        raise DataError(f"{folder} should hold one folder of photos for each class.") from error
    return [name for name in names if not name.startswith(".")]


def _held_out(photos: PhotoDataset, fraction: float, seed: int) -> np.ndarray:
    """(N,) bool: a share of each class, drawn in the order of the file names.

    At least one photo of a class is held out and at least one is not; of a class of one, none is.
    """
    labels = np.array(photos.labels)
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=lambda i: photos.paths[i].as_posix())
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        chosen = np.random.default_rng([seed, label]).permutation(len(members))[:count]
        held[np.array(members)[chosen]] = True
    return held


def _locate(root: str | Path, folder: str, needed: tuple[str, ...]) -> Path:
    """The data set's folder, given itself or its parent."""
    given = Path(os.path.abspath(root))
    home = given if given.name == folder else given / folder
    if not home.is_dir():
        raise DataError(f"{given} should be the folder {folder}, or hold it; neither is there.")
    missing = [name for name in needed if not (home / name).exists()]
    if missing:
        raise DataError(f"{home} is incomplete: {', '.join(missing)} is missing.")
    return home


def _require_known(what: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")
    return value
