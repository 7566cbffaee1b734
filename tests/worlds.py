"""A small world in which no figure passes for another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import lafe
from lafe.branches import PRESETS
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, load_benchmark
from lafe.data.preprocess import Preprocess
from lafe.train.probe import linear_classifier

SIZES = {"train": 61, "val": 53, "test": 149}
HALF = [0.5, 0.5, 0.5]
CLASSES = ("blue", "green", "red")
COLOURS = {"blue": (60, 60, 140), "green": (60, 140, 60), "red": (140, 60, 60)}


@dataclass(frozen=True)
class World:
    """Photos in three splits of unequal size, a model and a plain backbone.

    The model has another accuracy on each split and under each preset.
    """

    data: Path
    full: Path
    plain: Path

    def photos(self, split: str) -> PhotoDataset:
        return load_benchmark("folder", self.data, split)

    @cache  # noqa: B019  (one world a session)
    def inputs(self, split: str) -> Tensor:
        """(N, 3, S, S), each photo preprocessed by itself."""
        photos, preprocess = self.photos(split), Preprocess(36, 32, tuple(HALF), tuple(HALF))
        return torch.cat([preprocess(photos.photo(i)) for i in range(len(photos))])

    def labels(self, split: str) -> Tensor:
        return torch.tensor(self.photos(split).labels)

    @property
    def model(self) -> Trained:
        return lafe.load(self.full)

    @torch.no_grad()
    def logits(self, split: str, preset: str = "full") -> Tensor:
        return self.model(self.inputs(split), PRESETS[preset])

    def top1(self, split: str, preset: str = "full") -> float:
        right = self.logits(split, preset).argmax(1) == self.labels(split)
        return float(right.float().mean())

    @torch.no_grad()
    def pooled(self, split: str) -> dict[str, Tensor]:
        """GAP of f_5, D, C and F_5 under the full setting."""
        model, x = self.model, self.inputs(split)
        with lafe.record(model) as r:
            model(x)
        maps = {"f5": r.features[-1], "D": r.D, "C": r.C, "F5": r.F5}
        return {name: m.mean((2, 3)) for name, m in maps.items()}


@torch.no_grad()
def made(folder: Path, world: World, *, seed: int, **options: bool) -> None:
    """Save a model whose classifier is fitted to some training photos, under all presets alike."""
    torch.manual_seed(seed)
    model = lafe.LAFE("test_resnet", 3, 32, **options).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    x = world.inputs("train")
    pooled, labels = [], []
    for wrong, on in enumerate(PRESETS.values()):
        with lafe.record(model) as r:
            model(x, on)
        pooled.append(r.F5.mean((2, 3)))
        taught = world.labels("train")
        taught[torch.rand(len(taught)) < 0.08 * wrong] = 0  # worse from preset to preset
        labels.append(taught)
    weight, bias = linear_classifier(torch.cat(pooled), torch.cat(labels), len(CLASSES))
    model.classifier.weight.copy_(weight)
    model.classifier.bias.copy_(bias)
    save(model, folder, CLASSES, resize=36, mean=HALF, std=HALF, recipe={"data": "folder"})


def make_world(root: Path) -> World:
    """Photos, model and plain backbone in a folder."""
    random = np.random.default_rng(3)
    for split, size in SIZES.items():
        for i in range(size):
            name = CLASSES[i % 3]
            seen = random.choice(CLASSES) if random.random() < 0.25 else name  # hard photos
            colour = np.array(COLOURS[seen]) + random.normal(0, 25, 3)
            pixels = np.clip(colour + random.normal(0, 40, (32, 40, 3)), 0, 255).astype(np.uint8)
            if i % 4 == 1:
                pixels[...] = pixels.mean(2, keepdims=True)  # greyscale: a slice
            folder = root / "data" / split / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
    found = World(root / "data", root / "full", root / "plain")
    made(found.plain, found, seed=0, attention=False)
    for seed in range(50):
        made(found.full, found, seed=seed)
        tops = [found.top1("test", preset) for preset in PRESETS]
        tops += [found.top1(split) for split in ("train", "val")]
        if len(set(tops)) == len(tops):  # sums in another order may turn a photo elsewhere
            return found
    raise AssertionError("no such model")
