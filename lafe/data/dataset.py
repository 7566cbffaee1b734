"""A data set as the project sees it: photos on disk, a label each, and the names of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageOps

from lafe.errors import LafeError


class DataError(LafeError):
    """A data set is missing or broken; the message says what is expected where."""


@dataclass(frozen=True, eq=False)
class PhotoDataset:
    """One split of a data set; nothing is decoded before it is asked for.

    Args:
        name: the data set's name.
        paths: the N photo files.
        labels: N indices into `classes`.
        classes: the class names in label order.
        boxes: (N, 4) x, y, width, height of the object in pixels; CUB only.
        parts: (N, 15, 3) x, y in pixels and visible (0 or 1); CUB only.

    Raises:
        DataError: the split is empty or a listed photo does not exist.
    """

    name: str
    paths: list[Path]
    labels: list[int]
    classes: list[str]
    boxes: torch.Tensor | None = None
    parts: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if not self.paths:
            raise DataError(f"{self.name}: this split holds no photo.")
        absent = [path for path in self.paths if not path.is_file()]
        if absent:
            raise DataError(
                f"{self.name}: {len(absent)} of {len(self.paths)} listed photos are absent; "
                f"the first is {absent[0]}."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def photo(self, index: int) -> Image.Image:
        """Photo `index`, upright RGB.

        Raises:
            DataError: the file cannot be decoded.
        """
        path = self.paths[index]
        try:
            with Image.open(path) as image:
                return ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{self.name}: the photo {path} cannot be read ({error}); replace or remove it."
            ) from error

    def subset(self, indices: Sequence[int]) -> "PhotoDataset":
        """The photos `indices`, in that order, with the same classes."""
        chosen = list(indices)
        return PhotoDataset(
            name=self.name,
            paths=[self.paths[i] for i in chosen],
            labels=[self.labels[i] for i in chosen],
            classes=self.classes,
            boxes=None if self.boxes is None else self.boxes[chosen],
            parts=None if self.parts is None else self.parts[chosen],
        )
