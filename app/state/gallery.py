"""Training photos, where the operator has them: ``LAFE_DATA`` names the folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from lafe.checkpoints.trained import Trained
from lafe.data import DataError, PhotoDataset, load_benchmark
from lafe.data.attributes import differences
from lafe.data.photo import open_photo
from lafe.errors import LafeError
from lafe.explain.neighbours import (
    Neighbour,
    gallery,
    index_folder,
    nearest as nearest_of,
    read_index,
)

from . import birds, models
from .models import LOOK_AGAIN_SECONDS
from .session import Photo

MAX_GALLERIES = 400  # classes; a few hundred kB each
SIDE = 240  # px, of a thumbnail

log = logging.getLogger(__name__)


def training(checkpoint: str) -> PhotoDataset | None:
    """The training split that a checkpoint's card names; None where it is not at hand."""
    root = os.environ.get("LAFE_DATA")
    kind = models.cards()[checkpoint].data.get("name")
    return _training(root, str(kind)) if root and kind else None


def nearest(photo: Photo, checkpoint: str, label: int) -> list[Neighbour] | None:
    """The photos of a class that look most like this one to the model; None without an index."""
    model, dataset = models.model(checkpoint), training(checkpoint)
    if dataset is None or dataset.classes != list(model.card.classes):  # a part of it, or another
        return None
    pooled = _index(model, index_folder(), dataset)
    if pooled is None:
        return None
    return nearest_of(models.prepared(photo, model), gallery(pooled, dataset, label))


def differing(checkpoint: str, a: str, b: str) -> list[str]:
    """Differences of two classes in words, where they are known."""
    kind = str(models.cards()[checkpoint].data.get("name", ""))
    return _differing(kind, a, b, os.environ.get("LAFE_DATA"))


@st.cache_data(max_entries=MAX_GALLERIES, show_spinner=False)
def _differing(kind: str, a: str, b: str, root: str | None) -> list[str]:
    return differences(kind, a, b, root)


def thumbnail(path: Path) -> Image.Image:
    """A small copy."""
    small = open_photo(path)
    small.thumbnail((SIDE, SIDE))
    return small


def reference(checkpoint: str, label: int) -> Image.Image | None:
    """A picture of a class: a training photo, if they are at hand; birds that we draw, always."""
    card = models.cards()[checkpoint]
    if birds.knows(card):
        return birds.portrait(label)
    dataset = training(checkpoint)
    if dataset is None or dataset.classes != list(card.classes):
        return None
    path = next((p for p, k in zip(dataset.paths, dataset.labels, strict=True) if k == label), None)
    return None if path is None else _reference(path)


@st.cache_resource(max_entries=MAX_GALLERIES, show_spinner=False)
def _reference(path: Path) -> Image.Image:
    return thumbnail(path)


@st.cache_resource(max_entries=10, show_spinner=False)
def _training(root: str, kind: str) -> PhotoDataset | None:
    try:
        return load_benchmark(kind, root, "trainval")
    except DataError as error:
        log.error("LAFE_DATA: %s", error)
        return None


@st.cache_resource(
    max_entries=10, ttl=LOOK_AGAIN_SECONDS, show_spinner=False, hash_funcs=models.KNOWN_BY
)
def _index(model: Trained, folder: Path, _dataset: PhotoDataset) -> Any:
    try:
        return read_index(folder, model, _dataset)
    except LafeError as error:
        log.error("Look-alikes: %s", error)
        return None
