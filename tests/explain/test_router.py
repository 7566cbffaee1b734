"""The router: what is fitted, what is stored, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import tiny_model

import lafe
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.explain.router import KINDS, Router, RouterError, fit, read


def test_the_layer_is_of_the_features_as_they_are() -> None:
    random = torch.Generator().manual_seed(0)
    middles = 5 + 3 * torch.randn(len(KINDS), 12, generator=random)
    kinds = torch.arange(len(KINDS)).repeat_interleave(40)
    pooled = middles[kinds] + 0.3 * torch.randn(len(kinds), 12, generator=random)
    pooled[:, 3] *= 1000  # of another size than the others
    weight, bias = fit(pooled, kinds)
    router = Router(weight, bias, "tiny", "")
    assert (router.probabilities(pooled).argmax(1) == kinds).all()


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    return lafe.load(save(tiny_model(), tmp_path / "tiny", [str(k) for k in range(5)]))


def always(kind: str, model: Trained, sha256: str | None = None) -> Router:
    channels = sum(model.backbone.channels)
    bias = torch.zeros(len(KINDS))
    bias[list(KINDS).index(kind)] = 9
    weight = torch.zeros(len(KINDS), channels)
    return Router(weight, bias, model.card.name, sha256 or model.card.sha256)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_as_it_was_written(kind: str, model: Trained, tmp_path: Path) -> None:
    always(kind, model).write(tmp_path / "router.safetensors")
    router = read(tmp_path / "router.safetensors")
    photo = lafe.prepare(model, Image.new("RGB", (80, 60), "red"))
    assert router.kind(photo) == kind
    assert (router.checkpoint, router.sha256) == ("tiny", model.card.sha256)


def test_other_weights_and_other_files_are_refused(model: Trained, tmp_path: Path) -> None:
    photo = lafe.prepare(model, Image.new("RGB", (80, 60), "red"))
    with pytest.raises(RouterError, match="backbone of 'tiny' alone"):
        always("car", model, "0" * 64).kind(photo)
    narrow = always("car", model)
    with pytest.raises(RouterError, match="other features"):
        Router(narrow.weight[:, :3], narrow.bias, "tiny", model.card.sha256).kind(photo)
    file = tmp_path / "router.safetensors"
    with pytest.raises(RouterError, match="lafe router"):
        read(file)
    file.write_bytes(b"nothing")
    with pytest.raises(RouterError, match="lafe router"):
        read(file)
    wrong = always("car", model)
    Router(wrong.weight[:3], wrong.bias, "tiny", "").write(file)
    with pytest.raises(RouterError, match="another shape"):
        read(file)
