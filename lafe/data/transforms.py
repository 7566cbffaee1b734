"""Augmentation of decoded photos (uint8 tensors), as recipes name it."""

from collections.abc import Callable, Sequence

import torch
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from lafe.data.cache import Pixels

Transform = Callable[[torch.Tensor], torch.Tensor]


def train_transform(
    input_size: int,
    *,
    rotation: float = 15,
    flip: bool = True,
    scale: tuple[float, float] | None = None,
    jitter: float = 0,
    erase: float = 0,
    delete_cell: float = 0,
    mean: Sequence[float],
    std: Sequence[float],
) -> Transform:
    """uint8 (3, H, W) -> float (3, input_size, input_size), at random.

    The defaults are the paper's (Sec. 4.2): of photos decoded at 512 x 512, a rotation, a crop of
    448 and a flip.

    Args:
        rotation: largest angle in degrees.
        flip: mirror half of the photos.
        scale: crop a share of the area within this range and resize it to `input_size`, instead of
            cropping `input_size`.
        jitter: strength of the change of brightness, contrast and saturation; hue tells species
            apart and stays.
        erase: probability that a rectangle is blanked.
        delete_cell: probability that one of 4 x 4 cells gets the mean colour, as in IDSDS (Hesse et
            al., NeurIPS 2024), which asks for models that know such photos.
        mean, std: of the backbone's normalisation, per channel.
    """
    steps: list[torch.nn.Module] = []
    if rotation:
        steps.append(v2.RandomRotation(rotation, InterpolationMode.BILINEAR))
    if scale:
        steps.append(v2.RandomResizedCrop(input_size, scale=tuple(scale)))
    else:
        steps.append(v2.RandomCrop(input_size))
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    if jitter:
        steps.append(v2.ColorJitter(jitter, jitter, jitter))
    steps += _normalise(mean, std)
    if erase:
        steps.append(v2.RandomErasing(erase))
    if delete_cell:
        steps.append(v2.RandomApply([DeleteCell()], delete_cell))
    composed: Transform = v2.Compose(steps)
    return composed


def test_transform(
    resize: int, input_size: int, mean: Sequence[float], std: Sequence[float]
) -> Transform:
    """uint8 (3, H, W) -> float (3, input_size, input_size): the centre of the resized photo."""
    composed: Transform = v2.Compose(
        [v2.Resize((resize, resize)), v2.CenterCrop(input_size), *_normalise(mean, std)]
    )
    return composed


CELLS = 4
"""Cells to a side of a photo of which one is deleted."""


class DeleteCell(torch.nn.Module):
    """Set one cell of ``CELLS`` x ``CELLS`` of a normalised photo (3, S, S) to 0, at random."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The photo without a cell, a copy."""
        row, column = torch.randint(CELLS, (2,)).tolist()
        step, x = x.shape[-1] // CELLS, x.clone()
        x[:, row * step : (row + 1) * step, column * step : (column + 1) * step] = 0
        return x


def _normalise(mean: Sequence[float], std: Sequence[float]) -> list[torch.nn.Module]:
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]


class DecodedDataset(Dataset[tuple[torch.Tensor, int]]):
    """Decoded photos (N, 3, H, W) with their labels, transformed when they are read.

    ``photos`` is a tensor, or what is indexed like one and decodes then.
    """

    def __init__(self, photos: Pixels, labels: Sequence[int], transform: Transform) -> None:
        self.photos = photos
        self.labels = list(labels)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.photos[index]), self.labels[index]
