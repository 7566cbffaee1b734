"""A loaded checkpoint is a LAFE, and knows more than one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from tiny import CLASSES, SIZE, tiny_model

import lafe
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained

NAMES = [f"class {k}" for k in range(CLASSES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tiny_model(), tmp_path / "tiny", NAMES)


def test_it_is_a_lafe_that_is_called_like_one(folder: Path) -> None:
    model = lafe.load(folder)
    assert isinstance(model, lafe.LAFE)
    x = model.preprocess(Image.new("RGB", (120, 90), "teal"))
    with torch.no_grad():
        assert model(x, lafe.Switches.none()).shape == (1, len(model.card.classes))
        features = model.backbone(x)[-1]
        torch.testing.assert_close(
            model(x, lafe.Switches.none()), model.classifier(features.mean((2, 3)))
        )


def test_an_untrained_lafe_has_nothing_of_a_checkpoint() -> None:
    for name in ("card", "preprocess", "class_means"):
        assert not hasattr(tiny_model(), name)


def test_the_class_means_follow_the_model_and_are_no_weight(folder: Path) -> None:
    card = lafe.load(folder).card
    model = Trained(card, class_means=torch.rand(CLASSES, 8))
    assert "class_means" not in model.state_dict()
    assert model.double().class_means.dtype == torch.float64
    assert model.to("meta").class_means.is_meta


def test_a_photo_under_an_untrained_model_has_no_card() -> None:
    photo = lafe.prepare(tiny_model(), torch.zeros(1, 3, SIZE, SIZE))
    with pytest.raises(lafe.LafeError, match="has no card"):
        _ = photo.card


@pytest.mark.parametrize("resize", [SIZE, SIZE + 7, SIZE + 52])
def test_timm_reads_photos_as_it_does(tmp_path: Path, resize: int) -> None:
    model = lafe.load(save(tiny_model(), tmp_path / "tiny", NAMES, resize=resize))
    pixels = np.random.default_rng(0).integers(0, 256, (90, 131, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    theirs = create_transform(**resolve_model_data_config(model), is_training=False)
    torch.testing.assert_close(theirs(photo)[None], model.preprocess(photo))
