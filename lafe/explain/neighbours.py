"""The training photos of a class that look most like a photo, to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.prepare import Prepared

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
def gallery(
    model: Trained,
    dataset: PhotoDataset,
    label: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Gallery:
    """Look at every photo of one class; ``progress`` is told the share that is done.

    Raises:
        lafe.data.DataError: a photo that cannot be decoded.
    """
    members = [i for i, each in enumerate(dataset.labels) if each == label]
    device = model.classifier.weight.device
    pooled = [torch.zeros(0, model.classifier.in_features)]
    for done, i in enumerate(members, 1):
        features = model.features(model.preprocess(dataset.photo(i)).to(device))
        F5 = model.final(features[-1], *model.attributes(features))
        pooled.append(F5.mean((2, 3)).cpu())
        progress(done / len(members))
    return Gallery(tuple(dataset.paths[i] for i in members), torch.cat(pooled))


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
