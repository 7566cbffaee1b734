"""Photos for training: decoded once and kept where memory allows it, dealt in pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lafe.checkpoints.stored import fingerprint
from lafe.data import (
    DecodedDataset,
    PairSampler,
    PhotoDataset,
    load_benchmark,
    test_transform,
    train_transform,
)
from lafe.data.cache import Pixels, decode_readable, fits, unreadable
from lafe.data.transforms import Transform
from lafe.model.backbones import Backbone
from lafe.train.features import Features, Maps, view, whole
from lafe.train.recipe import Recipe


class EpochLoader(DataLoader[Any]):
    """Draws by seed and epoch alone: a resumed run sees what an uncut one would have seen."""

    batch_sampler: PairSampler

    def __iter__(self) -> Any:
        # A generator: it begins with the first batch, when the sampler has been told the epoch.
        torch.manual_seed(self.batch_sampler.seed * 1_000_003 + self.batch_sampler.epoch)
        yield from super().__iter__()


class TrainingPhotos(L.LightningDataModule):
    """The training split: pairs for training, held-out photos for choosing.

    Photos are decoded once, in every process; where that would take more than
    :data:`lafe.data.cache.SHARE` of the memory, all are tried once, and decoded by the workers
    whenever they are asked for.  Batches are the same.

    Args:
        recipe: with ``val_fraction`` 0 no photo is held out.
        root: folder of the data set, or its parent.
        workers: processes that augment photos.
        skip_bad: leave out photos that cannot be read, instead of refusing them all at once.
        processes: that train on this machine, each with its photos.

    Attributes:
        splits: ``train`` and, where photos are held out, ``val``.
        pixels: of each split once it is set up, (N, 3, resize, resize) uint8.
        passed_over: of each split, the photos that were left out.
        views: of each split, features that stand for the photos, see :meth:`pass_through`.
    """

    def __init__(
        self,
        recipe: Recipe,
        root: Path,
        workers: int = 0,
        *,
        skip_bad: bool = False,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.recipe, self.workers, self.skip_bad = recipe, workers, skip_bad
        names = {"train": "train", "val": "val"} if recipe.val_fraction else {"train": "trainval"}
        fraction = recipe.val_fraction or 0.1  # "trainval" is the same for every fraction
        self.splits: dict[str, PhotoDataset] = {
            name: load_benchmark(recipe.data, root, split, val_fraction=fraction, seed=recipe.seed)
            for name, split in names.items()
        }
        self.processes = processes
        self.pixels: dict[str, Pixels] = {}
        self.passed_over: dict[str, tuple[str, ...]] = {}
        self.views: dict[str, list[Maps]] = {}
        self._backbone = ""

    @property
    def classes(self) -> list[str]:
        return self.splits["train"].classes

    def digests(self) -> tuple[str, ...]:
        """The digests of all photos, sorted; none for the benchmarks, whose splits are fixed."""
        if self.recipe.data != "folder":
            return ()
        return tuple(sorted({d for split in self.splits.values() for d in split.digests()}))

    @property
    def norm(self) -> dict[str, Any]:
        """Mean and standard deviation that the backbone's weights expect."""
        backbone = self.trainer.lightning_module.model.backbone  # type: ignore[union-attr]
        return {"mean": backbone.mean, "std": backbone.std}

    def setup(self, stage: str) -> None:
        """Decode all photos, unless it is done."""
        bad: list[str] = []
        keep = fits(sum(map(len, self.splits.values())), self.recipe.resize, self.processes)
        for split, dataset in self.splits.items():
            if split not in self.pixels:
                found = decode_readable(dataset, self.recipe.resize, keep=keep)
                bad += found.problems
                self.splits[split], self.pixels[split] = found.dataset, found.pixels
                self.passed_over[split] = found.files
        if bad and not self.skip_bad:
            raise unreadable(bad, "mend or remove them, or go on without them with --skip-bad")
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

    def pass_through(self, backbone: Backbone, run: Callable[[Tensor], Maps]) -> None:
        """Let the features of a frozen backbone stand for the photos from here on.

        They are computed once for one backbone.

        Args:
            backbone: its weights, and how it wants photos normalised.
            run: photos (B, 3, S, S) to f_3, f_4, f_5 by this backbone.
        """
        known = fingerprint([], backbone.state_dict())
        if known == self._backbone:
            return
        norm = {"mean": backbone.mean, "std": backbone.std}
        for split, pixels in self.pixels.items():
            of_training = split == "train"
            transform = self._augmented(norm) if of_training else self._seen(norm)
            self.views[split] = []
            for i in range(self.recipe.views if of_training else 1):
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(self.recipe.seed * 1_000_003 + i)
                    self.views[split].append(view(run, pixels, transform, f"Features, {split}"))
        self._backbone = known

    def pooled(self) -> tuple[Tensor, Tensor]:
        """GAP(f_5) of all views of the training photos, (N, C_5), and their labels (N,)."""
        f5 = [maps[-1].float().mean((1, 2)) for maps in self.views["train"]]
        return torch.cat(f5), torch.tensor(self.splits["train"].labels).repeat(len(f5))

    def _augmented(self, norm: dict[str, Any]) -> Transform:
        r = self.recipe
        return train_transform(
            r.input_size,
            rotation=r.rotation,
            flip=r.flip,
            scale=r.scale,
            jitter=r.jitter,
            erase=r.erase,
            delete_cell=r.delete_cell,
            **norm,
        )

    def _seen(self, norm: dict[str, Any]) -> Transform:
        return test_transform(self.recipe.resize, self.recipe.input_size, **norm)

    def train_dataloader(self) -> DataLoader[Any]:
        trainer, labels = self.trainer, self.splits["train"].labels
        assert trainer is not None
        sampler = self.sampler(trainer.global_rank, trainer.world_size)
        if self.views:
            features = Features(self.views["train"], labels, sampler)
            return EpochLoader(features, batch_sampler=sampler, collate_fn=whole)
        data = DecodedDataset(self.pixels["train"], labels, self._augmented(self.norm))
        return EpochLoader(data, batch_sampler=sampler, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        labels = self.splits["val"].labels
        if self.views:
            return DataLoader(Features(self.views["val"], labels), batch_size=32, collate_fn=whole)
        data = DecodedDataset(self.pixels["val"], labels, self._seen(self.norm))
        return DataLoader(data, batch_size=32, num_workers=self.workers)
