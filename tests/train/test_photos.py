"""Photos that do not fit into memory are decoded when they are asked for: the same batches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from sharded import pack

from lafe.data import DataError, cache
from lafe.data.cache import OnDisk
from lafe.train.photos import TrainingPhotos
from lafe.train.recipe import Recipe

NORM = SimpleNamespace(mean=(0.5,) * 3, std=(0.5,) * 3)


def photos(
    recipe: Recipe, data: Path, share: float, monkeypatch: pytest.MonkeyPatch, **options: bool
) -> TrainingPhotos:
    monkeypatch.setattr(cache, "SHARE", share)
    found = TrainingPhotos(recipe, data, **options)
    found.setup("fit")
    module = SimpleNamespace(model=SimpleNamespace(backbone=NORM))
    found.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=0, world_size=1, lightning_module=module
    )
    return found


def batches(found: TrainingPhotos, epoch: int) -> list[list[torch.Tensor]]:
    loader = found.train_dataloader()
    loader.batch_sampler.set_epoch(epoch)
    return list(loader)


def test_batches_are_the_same_whether_photos_are_kept_or_not(
    recipe: Recipe, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every photo once, by pairs, as augmented, in an epoch that a resumed run begins with too."""
    kept = photos(recipe, data, 0.5, monkeypatch)
    read = photos(recipe, data, 0.0, monkeypatch)
    assert isinstance(kept.pixels["train"], torch.Tensor)
    assert isinstance(read.pixels["train"], OnDisk)
    for epoch in (3, 0):
        ours, theirs = batches(kept, epoch), batches(read, epoch)
        assert sum(len(labels) for _, labels in ours) == len(kept.splits["train"])
        for (x, y), (same_x, same_y) in zip(ours, theirs, strict=True):
            assert x.equal(same_x)
            assert y.equal(same_y)
    for (x, y), (same_x, same_y) in zip(kept.val_dataloader(), read.val_dataloader(), strict=True):
        assert x.equal(same_x)
        assert y.equal(same_y)


def test_each_epoch_draws_other_crops_and_a_resumed_one_the_same(
    recipe: Recipe, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one order for all epochs, so that crops alone can differ."""
    found = photos(recipe.with_changes(scale=(0.3, 1.0)), data, 0.5, monkeypatch)
    sampler = found.train_dataloader().batch_sampler
    order = list(sampler)
    monkeypatch.setattr(type(sampler), "__iter__", lambda _: iter(order))
    first, again, second = (torch.cat([x for x, _ in batches(found, n)]) for n in (0, 0, 1))
    assert first.equal(again)
    assert not any(a.equal(b) for a, b in zip(first, second, strict=True))


def test_batches_from_shards_are_those_from_folders(
    recipe: Recipe, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs meet that lie in different shards, whichever process deals them."""
    for split in ("train", "val", "test"):
        pack(data / split, tmp_path / "shards", count=3, seed=2, prefix=f"{split}-")
    kept = photos(recipe, data, 0.5, monkeypatch)
    read = photos(recipe, tmp_path / "shards", 0.0, monkeypatch)
    assert len({span.file for span in read.splits["train"].spans or ()}) == 3
    for epoch in (2, 0):
        for (x, y), (same_x, same_y) in zip(
            batches(kept, epoch), batches(read, epoch), strict=True
        ):
            assert x.equal(same_x)
            assert y.equal(same_y)
    ranks = [read.sampler(rank, 2) for rank in range(2)]
    for sampler in ranks:
        sampler.set_epoch(1)
    dealt = [i for sampler in ranks for batch in sampler for i in batch]
    assert sorted(dealt) == list(range(len(read.splits["train"])))
    labels = read.splits["train"].labels
    for sampler in ranks:
        for batch in sampler:
            places = zip(batch[::2], batch[1::2], strict=False)
            assert sum(labels[a] == labels[b] for a, b in places) >= len(batch) // 2 - 2


def test_photos_on_the_disk_are_indexed_like_those_in_memory(
    recipe: Recipe, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = photos(recipe, data, 0.5, monkeypatch).pixels["val"]
    read = photos(recipe, data, 0.0, monkeypatch).pixels["val"]
    assert len(kept) == len(read)
    for index in (0, slice(1, 4), slice(2, 1000), torch.tensor([3, 1]), [2, 2]):
        assert read[index].equal(kept[index]), index


def test_photos_that_cannot_be_read_are_found_before_the_work_either_way(
    recipe: Recipe, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = next(iter(photos(recipe, data, 0.5, monkeypatch).splits["train"].paths))
    whole = bad.read_bytes()
    bad.write_bytes(b"no photo")
    try:
        for share in (0.5, 0.0):
            with pytest.raises(DataError, match="1 photo cannot be read"):
                photos(recipe, data, share, monkeypatch)
        kept = photos(recipe, data, 0.5, monkeypatch, skip_bad=True)
        read = photos(recipe, data, 0.0, monkeypatch, skip_bad=True)
        assert kept.passed_over == read.passed_over
        assert len(kept.passed_over["train"]) == 1
        assert len(read.pixels["train"]) == len(kept.pixels["train"])
    finally:
        bad.write_bytes(whole)


def test_what_fits_is_counted_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2 * 3 * 10 * 10 * 10}
    monkeypatch.setattr(cache.os, "sysconf", pages.__getitem__)
    photos_that_fit = 4096 * 10  # half of the memory, at 3 * 10 * 10 bytes each
    assert cache.fits(photos_that_fit, 10)
    assert not cache.fits(photos_that_fit + 1, 10)
    assert cache.fits(photos_that_fit // 4, 10, processes=4)
    assert not cache.fits(photos_that_fit // 4 + 1, 10, processes=4)
