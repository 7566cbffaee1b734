"""Tiny random checkpoints, the only ones that the app finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import tiny_model
from visiting import (
    BIRDS,
    CARS,
)

from lafe.checkpoints import store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    for seed, (name, classes) in enumerate({"birds": BIRDS, "cars": CARS}.items()):
        model = tiny_model(seed)
        with torch.no_grad():  # random logits are all but equal: make the classes differ
            model.classifier.weight.mul_(3)
        store.save(model, folder / name, classes, title=name.capitalize())
    return folder


@pytest.fixture
def only_these(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "folders", lambda: [folder])
