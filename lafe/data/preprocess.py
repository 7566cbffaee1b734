"""A photo as the model reads it: squashed to a square, centre crop, normalised (Sec. 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lafe.data.transforms import test_transform


@dataclass(frozen=True)
class Preprocess:
    """Photo to input, the same steps as in evaluation.

    Args:
        resize: side in px that the whole photo is squashed to.
        input_size: side in px of the centre crop, at most ``resize``.
        mean, std: per channel.
    """

    resize: int
    input_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, photo: Image.Image) -> Tensor:
        """RGB photo -> (1, 3, S, S) float32, channels last: models are faster on it."""
        square = photo.convert("RGB").resize((self.resize, self.resize), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)
        transform = test_transform(self.resize, self.input_size, self.mean, self.std)
        return transform(pixels)[None].contiguous(memory_format=torch.channels_last)

    def picture(self, x: Tensor) -> Image.Image:
        """An input (1, 3, S, S) as a picture of S x S px: the photo squashed to a square."""
        mean, std = (torch.tensor(v, device=x.device)[:, None, None] for v in (self.mean, self.std))
        pixels = (x[0].float() * std + mean).clamp(0, 1).mul(255).round().byte()
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

    def view_box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of a photo of (width, height) px that the model sees: left, top, right, bottom.

        Maps cover this part and no more.
        """
        edge = (self.resize - self.input_size) // 2 / self.resize
        end = edge + self.input_size / self.resize
        width, height = size
        return edge * width, edge * height, end * width, end * height
