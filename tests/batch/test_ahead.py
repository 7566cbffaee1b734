"""Photos are decoded ahead in order, a bounded number at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from lafe.batch.ahead import batches, read_ahead
from lafe.batch.jobs import Job
from lafe.data.photo import PhotoError
from lafe.data.preprocess import Preprocess

PREPROCESS = Preprocess(32, 32, (0.0,) * 3, (1.0,) * 3)


def jobs(folder: Path, count: int, bad: tuple[int, ...] = ()) -> list[Job]:
    found = []
    for i in range(count):
        file = folder / f"{i}.png"
        if i in bad:
            file.write_bytes(b"no photo")
        else:
            Image.new("RGB", (40, 40), (i, 0, 0)).save(file)
        found.append(Job(file.name, str(file)))
    return found


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_photos_come_in_order_and_bad_ones_in_their_places(tmp_path: Path, workers: int) -> None:
    todo = jobs(tmp_path, 12, bad=(0, 5))
    found = list(read_ahead(todo, PREPROCESS, workers, 3))
    assert [job for job, _ in found] == todo
    for i, (_, x) in enumerate(found):
        if i in (0, 5):
            assert isinstance(x, PhotoError)
        else:
            torch.testing.assert_close(x[0, 0], torch.full((32, 32), i / 255))


def test_no_more_are_taken_than_there_is_room_for(tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[Job]:
        nonlocal taken
        todo = jobs(tmp_path, 1)
        while True:
            taken += 1
            yield todo[0]

    reads = read_ahead(endless(), PREPROCESS, 2, 5)
    for asked in range(1, 20):
        next(reads)
        assert taken <= asked + 5
    reads.close()
    assert threading.active_count() < 10  # the threads are gone


def test_batches_are_full_of_photos_that_can_be_read(tmp_path: Path) -> None:
    reads = list(read_ahead(jobs(tmp_path, 8, bad=(1, 6, 7)), PREPROCESS, 0, 1))
    found = list(batches(reads, 2))
    assert [[job.name for job, _ in batch] for batch in found] == [
        ["0.png", "1.png", "2.png"],
        ["3.png", "4.png"],
        ["5.png", "6.png", "7.png"],
    ]
