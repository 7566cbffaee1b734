"""Features of a frozen backbone, computed once: a step then costs branches and fusions alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from lafe.data import PairSampler
from lafe.data.cache import Pixels
from lafe.data.transforms import Transform

Maps = tuple[Tensor, ...]
"""f_3, f_4, f_5 of photos, (B, C_i, H_i, W_i) each."""


class Features(Dataset[tuple[Maps, Tensor]]):
    """The features of N photos, in V views; a batch is of one view, which the epoch decides.

    Args:
        views: of each view, of each stage, (N, H_i, W_i, C_i).
        labels: of the photos.
        sampler: of the epochs; None for the first view alone.
    """

    def __init__(
        self, views: Sequence[Maps], labels: Sequence[int], sampler: PairSampler | None = None
    ) -> None:
        self.views, self.labels, self.sampler = views, torch.tensor(labels), sampler

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> tuple[Maps, Tensor]:
        epoch = self.sampler.epoch if self.sampler else 0
        maps = self.views[epoch % len(self.views)]
        return tuple(m[indices].permute(0, 3, 1, 2) for m in maps), self.labels[indices]


@torch.no_grad()
def view(
    backbone: Callable[[Tensor], Maps],
    pixels: Pixels,
    transform: Transform,
    about: str,
    batch_size: int = 32,
) -> Maps:
    """The features of all photos, each transformed once: (N, H_i, W_i, C_i) each.

    Args:
        backbone: photos (B, 3, S, S) to f_3, f_4, f_5, in the precision that is kept.
        pixels: (N, 3, H, W) uint8.
        transform: of photos as training or testing sees them.
        about: for the bar of progress.
    """
    found: list[Maps] = []
    for i in tqdm(range(0, len(pixels), batch_size), desc=about):
        x = torch.stack([transform(photo) for photo in pixels[i : i + batch_size]])
        maps = backbone(x.contiguous(memory_format=torch.channels_last))
        found.append(tuple(m.permute(0, 2, 3, 1).contiguous() for m in maps))
    return tuple(torch.cat(stage) for stage in zip(*found, strict=True))


def whole(batch: Any) -> Any:
    """The batch as the data set gave it."""
    return batch
