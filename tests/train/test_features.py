"""Features of a frozen backbone, computed once: the training is the same one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import lafe
from lafe.data import PairSampler
from lafe.train import photos as photos_of
from lafe.train.features import Features
from lafe.train.loop import train
from lafe.train.photos import TrainingPhotos
from lafe.train.recipe import Recipe, RecipeError
from lafe.train.variants import VARIANTS

ALL = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")


@pytest.fixture(scope="module")
def frozen(recipe: Recipe) -> Recipe:
    """Nothing is drawn but the pairs: two views of a photo are one."""
    return recipe.with_changes(
        freeze=ALL, jitter=0.0, flip=False, resize=64, epochs=2, probe=True, objective="paper",
        schedule="step", lr=0.01,
    )  # fmt: skip


def weights(folder: Path) -> dict[str, Tensor]:
    return lafe.load(folder).state_dict()


def close(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.allclose(v.float(), other[k].float(), atol=2e-3) for k, v in one.items())


def test_a_training_is_the_same_as_on_photos(frozen: Recipe, data: Path, tmp_path: Path) -> None:
    frozen = frozen.with_changes(probe=False)  # two views of a photo count twice in its fit
    on_photos = weights(train(frozen, data, tmp_path / "photos", accelerator="cpu"))
    cached = frozen.with_changes(views=2)
    on_features = weights(train(cached, data, tmp_path / "features", accelerator="cpu"))
    other = weights(train(cached.with_changes(seed=1), data, tmp_path / "other", accelerator="cpu"))
    assert close(on_photos, on_features)
    assert not close(on_photos, other)  # or nothing was tested


def test_a_training_goes_on_with_the_same_features(
    frozen: Recipe, data: Path, tmp_path: Path
) -> None:
    recipe = frozen.with_changes(
        views=2, flip=True, jitter=0.4, objective="attentive",
        overlap_loss=1.0, gates="standardised",
    )  # fmt: skip
    uncut = train(recipe.with_changes(epochs=3), data, tmp_path / "uncut", accelerator="cpu")
    train(recipe, data, tmp_path / "cut", accelerator="cpu")
    resumed = train(recipe.with_changes(epochs=3), data, tmp_path / "cut", accelerator="cpu")
    assert close(weights(uncut), weights(resumed))


def test_a_backbone_that_learns_has_no_features_to_keep(
    frozen: Recipe, data: Path, tmp_path: Path
) -> None:
    recipe = frozen.with_changes(views=2, freeze=ALL[:-1])
    with pytest.raises(RecipeError, match="views is 2, which needs a backbone that is frozen"):
        train(recipe, data, tmp_path, accelerator="cpu")


def test_the_rows_of_a_sweep_share_features_and_another_backbone_has_its_own(
    frozen: Recipe, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    view = photos_of.view
    monkeypatch.setattr(photos_of, "view", lambda *a: (computed.append(len(a[1])), view(*a))[1])
    recipe = frozen.with_changes(views=2, epochs=1)
    photos = TrainingPhotos(recipe, data)
    for variant in ("lafe", "plain"):
        row = recipe.variant(variant)
        train(row, data, tmp_path, photos=photos, accelerator="cpu")
    assert computed == [len(photos.splits["train"])] * 2 + [len(photos.splits["val"])]
    torch.manual_seed(9)
    other = recipe.with_changes(weights=None, name="other", seed=0)
    train(other, data, tmp_path, photos=photos, accelerator="cpu")
    assert len(computed) == 6


def test_no_row_reads_photos_in_another_way() -> None:
    reads = {
        *("data", "backbone", "weights", "init", "input_size", "resize", "rotation", "flip"),
        *("scale", "jitter", "erase", "delete_cell", "batch_size", "freeze", "backbone_bf16"),
        "views",
        *("val_fraction", "seed"),
    }
    for name, changes in VARIANTS.items():
        assert not reads & changes.keys(), name


def test_epochs_take_the_views_in_turn() -> None:
    labels = [0, 0, 1, 1]
    views = [tuple(torch.full((4, 2, 2, 3), float(v)) for _ in range(3)) for v in (10, 20)]
    for v, maps in enumerate(views):
        for m in maps:
            m += torch.arange(4.0)[:, None, None, None]
            assert float(m[3, 0, 0, 0]) == 10 * (v + 1) + 3
    sampler = PairSampler(labels, 4, seed=0)
    features = Features(views, labels, sampler)
    for epoch, first in enumerate((10, 20, 10)):
        sampler.set_epoch(epoch)
        maps, y = features.__getitems__([3, 0])
        assert y.tolist() == [1, 0]
        assert maps[0].shape == (2, 3, 2, 2)
        assert maps[0][:, 0, 0, 0].tolist() == [first + 3, first]
        assert maps[0].is_contiguous(memory_format=torch.channels_last)
