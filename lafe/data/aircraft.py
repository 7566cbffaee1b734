"""FGVC-Aircraft (Maji et al., 2013): variants, families and manufacturers."""

from __future__ import annotations

from pathlib import Path

from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.layout import locate

LEVELS = {"variant": "variants", "family": "families", "manufacturer": "manufacturers"}


def read_aircraft(root: str | Path, split: str, level: str) -> PhotoDataset:
    """The official "train", "val", "trainval" or "test" split, with labels of a level.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    classes, photos = f"data/{LEVELS[level]}.txt", f"data/images_{level}_{split}.txt"
    home = locate(root, "fgvc-aircraft-2013b", ("data/images", classes, photos))
    try:
        names = (home / classes).read_text(encoding="utf-8").split("\n")
        names = [name.strip() for name in names if name.strip()]
        label = {name: i for i, name in enumerate(names)}
        lines = (home / photos).read_text(encoding="utf-8").splitlines()
        rows = [line.strip().split(" ", 1) for line in lines if line.strip()]
        return PhotoDataset(
            name="FGVC-Aircraft",
            paths=[home / "data" / "images" / f"{number}.jpg" for number, _ in rows],
            labels=[label[name] for _, name in rows],
            classes=names,
            home=home,
        )
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"The annotations in {home / 'data'} cannot be read ({error}).") from error
