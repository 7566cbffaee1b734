"""Stanford Cars (Krause et al., 2013): 196 models, each with its year."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.layout import find, locate

# Mirrors pack each of the publisher's archives into a folder of its own.
_CLASSES = "devkit/cars_meta.mat|car_devkit/devkit/cars_meta.mat"
_ANNOTATIONS = {
    "train": "devkit/cars_train_annos.mat|car_devkit/devkit/cars_train_annos.mat",
    "test": "cars_test_annos_withlabels.mat|devkit/cars_test_annos_withlabels.mat"
    "|car_devkit/devkit/cars_test_annos_withlabels.mat",
}
_PHOTOS = {"train": "cars_train/cars_train|cars_train", "test": "cars_test/cars_test|cars_test"}


def read_cars(root: str | Path, split: str) -> PhotoDataset:
    """The official "train" or "test" split.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    from scipy.io import loadmat  # of an extra: nobody else needs it

    needed = (_CLASSES, _ANNOTATIONS[split], _PHOTOS[split])
    home = locate(root, "stanford_cars", needed)
    classes, annotations, photos = (find(home, name) for name in needed)
    try:
        names = np.atleast_1d(loadmat(classes, squeeze_me=True)["class_names"])
        rows = np.atleast_1d(loadmat(annotations, squeeze_me=True)["annotations"])
        labels = [int(label) - 1 for label in rows["class"]]  # counted from 1
        files = [str(name) for name in rows["fname"]]
    except Exception as error:  # SciPy's reader has no common base class for its errors
        raise DataError(f"The annotations in {home} cannot be read ({error}).") from error
    if not 0 <= min(labels) <= max(labels) < len(names):
        raise DataError(f"{annotations} names a class that {classes} does not have.")
    return PhotoDataset(
        name="Stanford Cars",
        paths=[photos / name for name in files],
        labels=labels,
        classes=[str(name) for name in names],
        home=home,
    )
