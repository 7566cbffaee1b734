"""The training photos of a class that look most like a photo, to the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.errors import LafeError
from lafe.explain.prepare import Prepared
from lafe.files import replacing

COPY = 4.0
"""Mean difference, of 255 levels, below which two pictures of 16 x 16 px are copies.

Saved anew or made smaller, a photo stays below; two photos of one class are far above.
"""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Training photos of one class, as the full model sees them.

    Attributes:
        paths: the n photo files.
        pooled: GAP(F_5) of each, (n, C_5).
    """

    paths: tuple[Path, ...]
    pooled: Tensor


@dataclass(frozen=True)
class Neighbour:
    """A training photo, with the cosine of its GAP(F_5) and the photo's."""

    path: Path
    cosine: float


@torch.inference_mode(False)
@torch.no_grad()
def look(
    model: Trained, dataset: PhotoDataset, progress: Callable[[float], None] = lambda _: None
) -> Tensor:
    """Look at every photo of a data set, once: GAP(F_5) under the full setting, (N, C_5) float16.

    ``progress`` is told the share that is done.

    Raises:
        lafe.data.DataError: a photo that cannot be decoded.
    """
    device = model.classifier.weight.device
    pooled = torch.zeros(len(dataset), model.classifier.in_features, dtype=torch.float16)
    for i in range(len(dataset)):
        features = model.features(model.preprocess(dataset.photo(i)).to(device))
        F5 = model.final(features[-1], *model.attributes(features))
        pooled[i] = F5.mean((2, 3))[0].half().cpu()
        progress((i + 1) / len(dataset))
    return pooled


def write_index(folder: Path, pooled: Tensor, model: Trained, dataset: PhotoDataset) -> Path:
    """Keep what :func:`look` gave; returns the file, whose name and header say what it is of."""
    file = index_file(folder, model)
    header = {"sha256": model.card.sha256, "photos": dataset.fingerprint()}
    with replacing(file) as draft:
        save_file({"pooled": pooled}, draft, header)
    return file


def read_index(folder: Path, model: Trained, dataset: PhotoDataset) -> Tensor | None:
    """The index of these photos under this model, (N, C_5); None if it is not there, or of others.

    Raises:
        LafeError: a file of this name that is no index.
    """
    file = index_file(folder, model)
    if not file.is_file():
        return None
    try:
        with safe_open(file, "pt") as opened:
            header = opened.metadata() or {}
            pooled: Tensor = opened.get_tensor("pooled")
    except (OSError, SafetensorError) as error:
        raise LafeError(f"{file} cannot be read ({error}): run `lafe index`.") from error
    same = header.get("sha256") == model.card.sha256
    return pooled.float() if same and header.get("photos") == dataset.fingerprint() else None


def index_folder() -> Path:
    """The folder of indices: ``$LAFE_INDEX``, or one of this user's."""
    named = os.environ.get("LAFE_INDEX")
    return Path(named) if named else Path.home() / ".cache" / "lafe" / "index"


def index_file(folder: Path, model: Trained) -> Path:
    """The file of a model's index in a folder of indices."""
    return folder / f"{model.card.name}-{model.card.sha256[:12]}.safetensors"


def gallery(pooled: Tensor, dataset: PhotoDataset, label: int) -> Gallery:
    """The photos of one class, of an index."""
    members = [i for i, each in enumerate(dataset.labels) if each == label]
    return Gallery(tuple(dataset.paths[i] for i in members), pooled[members])


def nearest(photo: Prepared, among: Gallery, count: int = 4) -> list[Neighbour]:
    """The photos of a gallery that are nearest to a photo under the full setting, nearest first."""
    pooled = photo.fused(Switches.all()).F5.mean((2, 3)).cpu()
    cosines = F.cosine_similarity(pooled, among.pooled)
    order = cosines.argsort(descending=True)[:count].tolist()
    return [Neighbour(among.paths[i], float(cosines[i])) for i in order]


def copies(a: Image.Image, b: Image.Image) -> bool:
    """True if two pictures are one, maybe in another size or saved anew."""
    return float(np.abs(_coarse(a) - _coarse(b)).mean()) < COPY


def _coarse(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((16, 16), Image.Resampling.BOX), float)
