"""Photos that are decoded ahead of the model: in order, and never more than there is room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from PIL.Image import Image
from torch import Tensor

from lafe.batch.jobs import Job
from lafe.data.photo import PhotoError

Read = tuple[Job, Tensor | PhotoError]
"""A job with its photo as the model reads it, (1, 3, S, S), or the reason why it cannot be read."""


def read_ahead(
    jobs: Iterable[Job], preprocess: Callable[[Image], Tensor], workers: int, most: int
) -> Iterator[Read]:
    """Each photo as the model reads it, in the order of the jobs.

    Args:
        jobs: taken one by one, as there is room.
        preprocess: a photo to what the model reads; may raise PhotoError.
        workers: threads that decode; Pillow lets go of the interpreter while it does.  With 0 a
            photo is decoded when it is asked for.
        most: photos that are decoded or being decoded and not yet asked for.
    """

    def read(job: Job) -> Tensor | PhotoError:
        try:
            return preprocess(job.open())
        except PhotoError as error:
            return error

    if not workers:
        yield from ((job, read(job)) for job in jobs)
        return
    waiting: deque[tuple[Job, Future[Tensor | PhotoError]]] = deque()
    with ThreadPoolExecutor(workers) as threads:
        try:
            for job in jobs:
                waiting.append((job, threads.submit(read, job)))
                if len(waiting) >= most:
                    first, photo = waiting.popleft()
                    yield first, photo.result()
            while waiting:
                first, photo = waiting.popleft()
                yield first, photo.result()
        finally:
            threads.shutdown(cancel_futures=True)


def batches(reads: Iterable[Read], size: int) -> Iterator[list[Read]]:
    """The photos that were read, in lists of ``size``, with those that cannot be read between."""
    batch: list[Read] = []
    readable = 0
    for read in reads:
        batch.append(read)
        readable += isinstance(read[1], Tensor)
        if readable == size:
            yield batch
            batch, readable = [], 0
    if batch:
        yield batch
