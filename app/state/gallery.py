"""Training photos, where the operator has them: ``LAFE_DATA`` names the folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import streamlit as st
from PIL import Image

from lafe.checkpoints.trained import Trained
from lafe.data import DataError, PhotoDataset, load_benchmark
from lafe.data.photo import open_photo
from lafe.explain.neighbours import Gallery, Neighbour, gallery, nearest as nearest_of

from . import models
from .session import Photo

MAX_GALLERIES = 400  # classes; a few hundred kB each
SIDE = 240  # px, of a thumbnail

log = logging.getLogger(__name__)


def training(checkpoint: str) -> PhotoDataset | None:
    """The training split that a checkpoint's card names; None where it is not at hand."""
    root = os.environ.get("LAFE_DATA")
    kind = models.cards()[checkpoint].data.get("name")
    return _training(root, str(kind)) if root and kind else None


def nearest(photo: Photo, checkpoint: str, label: int) -> list[Neighbour]:
    """The photos of a class that look most like this one to the model; none if none are here."""
    model, dataset = models.model(checkpoint), training(checkpoint)
    if dataset is None or dataset.classes != model.card.classes:  # another version, or a part of it
        return []
    return nearest_of(models.prepared(photo, model), _gallery(model, label, dataset))


def thumbnail(path: Path) -> Image.Image:
    """A small copy."""
    small = open_photo(path)
    small.thumbnail((SIDE, SIDE))
    return small


@st.cache_resource(max_entries=10, show_spinner=False)
def _training(root: str, kind: str) -> PhotoDataset | None:
    try:
        return load_benchmark(kind, root, "trainval")
    except DataError as error:
        log.error("LAFE_DATA: %s", error)
        return None


@st.cache_resource(
    max_entries=MAX_GALLERIES,
    show_spinner="Looking at training photos",
    hash_funcs=models.KNOWN_BY,
)
def _gallery(model: Trained, label: int, _dataset: PhotoDataset) -> Gallery:
    return gallery(model, _dataset, label)
