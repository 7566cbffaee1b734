"""Photos for training: decoded once, kept in memory, dealt in pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lafe.data import (
    DataError,
    DecodedDataset,
    PairSampler,
    PhotoDataset,
    load_benchmark,
    test_transform,
    train_transform,
)
from lafe.data.cache import decode_readable
from lafe.train.recipe import Recipe


class EpochLoader(DataLoader[Any]):
    """Draws by seed and epoch alone: a resumed run sees what an uncut one would have seen."""

    batch_sampler: PairSampler

    def __iter__(self) -> Any:
        # A generator: it begins with the first batch, when the sampler has been told the epoch.
        torch.manual_seed(self.batch_sampler.seed * 1_000_003 + self.batch_sampler.epoch)
        yield from super().__iter__()


class TrainingPhotos(L.LightningDataModule):
    """The training split, decoded once: pairs for training, held-out photos for choosing.

    Args:
        recipe: with ``val_fraction`` 0 no photo is held out.
        root: folder of the data set, or its parent.
        workers: processes that augment photos.
        skip_bad: leave out photos that cannot be read, instead of refusing them all at once.

    Attributes:
        splits: ``train`` and, where photos are held out, ``val``.
        pixels: of each split once it is decoded, (N, 3, resize, resize) uint8.
        passed_over: of each split, the photos that were left out.
    """

    def __init__(
        self, recipe: Recipe, root: Path, workers: int = 0, *, skip_bad: bool = False
    ) -> None:
        super().__init__()
        self.recipe, self.workers, self.skip_bad = recipe, workers, skip_bad
        names = {"train": "train", "val": "val"} if recipe.val_fraction else {"train": "trainval"}
        fraction = recipe.val_fraction or 0.1  # "trainval" is the same for every fraction
        self.splits: dict[str, PhotoDataset] = {
            name: load_benchmark(recipe.data, root, split, val_fraction=fraction, seed=recipe.seed)
            for name, split in names.items()
        }
        self.pixels: dict[str, Tensor] = {}
        self.passed_over: dict[str, tuple[str, ...]] = {}

    @property
    def classes(self) -> list[str]:
        return self.splits["train"].classes

    @property
    def norm(self) -> dict[str, Any]:
        """Mean and standard deviation that the backbone's weights expect."""
        backbone = self.trainer.lightning_module.model.backbone  # type: ignore[union-attr]
        return {"mean": backbone.mean, "std": backbone.std}

    def setup(self, stage: str) -> None:
        """Decode all photos, unless it is done."""
        bad: list[str] = []
        for split, dataset in self.splits.items():
            if split not in self.pixels:
                found = decode_readable(dataset, self.recipe.resize)
                bad += found.problems
                self.splits[split], self.pixels[split] = found.dataset, found.pixels
                self.passed_over[split] = found.files
        if bad and not self.skip_bad:
            raise DataError(
                f"{len(bad)} photos cannot be read: mend or remove them, or go on without them "
                "with --skip-bad.\n" + "\n".join(bad)
            )
        for problem in bad:
            print(f"passed over: {problem}", flush=True)

    def sampler(self, rank: int, world_size: int) -> PairSampler:
        """The batches of an epoch, of one of several processes."""
        r = self.recipe
        return PairSampler(
            self.splits["train"].labels,
            r.batch_size // world_size,
            seed=r.seed,
            rank=rank,
            world_size=world_size,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        r, trainer = self.recipe, self.trainer
        assert trainer is not None
        transform = train_transform(
            r.input_size,
            rotation=r.rotation,
            flip=r.flip,
            scale=r.scale,
            jitter=r.jitter,
            erase=r.erase,
            **self.norm,
        )
        sampler = self.sampler(trainer.global_rank, trainer.world_size)
        data = DecodedDataset(self.pixels["train"], self.splits["train"].labels, transform)
        return EpochLoader(data, batch_sampler=sampler, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        transform = test_transform(self.recipe.resize, self.recipe.input_size, **self.norm)
        data = DecodedDataset(self.pixels["val"], self.splits["val"].labels, transform)
        return DataLoader(data, batch_size=32, num_workers=self.workers)
