"""Photos, ImageNet-like weights and a recipe for trainings that take seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from coloured import EACH, HELD, write_photos

from lafe.train.recipe import Recipe


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import timm

    torch.manual_seed(3)
    file = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), file)
    return file


@pytest.fixture(scope="module")
def recipe(weights: Path) -> Recipe:
    return Recipe(
        "squares", "folder", "test_resnet", 64, 72, epochs=3, lr=0.01, weights=str(weights),
        objective="switched", batch_size=8, jitter=0.2, val_fraction=HELD / EACH, new_lr=2.0,
        schedule="onecycle", freeze=("conv1", "bn1", "layer1"),
    )  # fmt: skip
