"""Caltech-UCSD Birds-200-2011, with its boxes and part locations (Wah et al., 2011).

Any folder of the same layout is read as well, such as one of PartBirds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.layout import locate

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "CUB_200_2011"
TRUTH = "partbirds.json"  # what only a folder of PartBirds has
FILES = (
    "images",
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "bounding_boxes.txt",
    "parts/parts.txt",
    "parts/part_locs.txt",
)


def read_cub(root: str | Path, *, train: bool) -> PhotoDataset:
    """The official train or test split of the folder that is `root` or is in it.

    Raises:
        DataError: a file is missing, cannot be parsed, or lacks the line of a listed photo.
    """
    return _read(locate(root, FOLDER, FILES), train)


def read_partbirds(root: str | Path, *, train: bool) -> PhotoDataset:
    """The train or test split of a folder that `lafe partbirds` made, or of one that is in `root`.

    Raises:
        DataError: as of :func:`read_cub`.
    """
    return replace(_read(locate(root, "partbirds", (*FILES, TRUTH)), train), name="PartBirds")


def _read(home: Path, train: bool) -> PhotoDataset:
    classes = _table(home / "classes.txt", ["name"])["name"]
    photos = _table(home / "images.txt", ["path"])
    for file, columns in (
        ("image_class_labels.txt", ["class"]),
        ("train_test_split.txt", ["train"]),
        ("bounding_boxes.txt", ["x", "y", "width", "height"]),
    ):
        photos = photos.join(_numeric(home / file, columns))
        _require_complete(photos[columns], home / file)
    photos = photos[photos["train"] == int(train)]

    unknown = set(photos["class"]) - set(classes.index)
    if unknown:
        raise DataError(f"{home / 'classes.txt'} has no line for class {int(min(unknown))}.")

    return PhotoDataset(
        name="CUB-200-2011" if FOLDER in home.parts else home.name,
        paths=[home / "images" / path for path in photos["path"]],
        labels=classes.index.get_indexer(photos["class"]).tolist(),
        home=home,
        classes=[name.split(".", 1)[-1].replace("_", " ") for name in classes],
        boxes=_tensor(photos[["x", "y", "width", "height"]]),
        parts=_parts(home / "parts", photos.index),
    )


def _parts(folder: Path, photo_ids: pd.Index) -> torch.Tensor:
    """(N, P, 3) x, y, visible of the P parts that `parts.txt` lists."""
    import pandas as pd

    listed = _lines(folder / "parts.txt")
    path = folder / "part_locs.txt"
    places = _numeric(path, ["part", "x", "y", "visible"]).set_index("part", append=True)
    wanted = pd.MultiIndex.from_product([photo_ids, range(1, len(listed) + 1)])
    places = places[~places.index.duplicated()].reindex(wanted)
    _require_complete(places, path)
    return _tensor(places).reshape(-1, len(listed), 3)


def _lines(path: Path) -> list[str]:
    """The lines of a file whose names may hold spaces, such as `left eye`."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as lines of `id name` ({error}).") from error


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Rows of `id column ...`, indexed by the id."""
    import pandas as pd  # of the extra `train`: who only looks at photos needs none of it

    try:
        return pd.read_csv(path, sep=r"\s+", names=["id", *columns], index_col="id")
    except (OSError, ValueError, KeyError) as error:  # ValueError: what pandas cannot parse
        raise DataError(
            f"{path} cannot be read as lines of `id {' '.join(columns)}` ({error})."
        ) from error


def _numeric(path: Path, columns: list[str]) -> pd.DataFrame:
    table = _table(path, columns)
    try:
        return table.astype(float)
    except ValueError as error:
        raise DataError(f"{path} should hold numbers only ({error}).") from error


def _require_complete(table: pd.DataFrame, path: Path) -> None:
    incomplete = table.index[table.isna().any(axis=1)]
    if len(incomplete):
        raise DataError(f"{path} has no complete line for photo {np.ravel(incomplete[0])[0]}.")


def _tensor(table: pd.DataFrame) -> torch.Tensor:
    return torch.tensor(table.to_numpy(dtype=np.float32))
