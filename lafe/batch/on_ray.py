"""The same rows from many processes, or machines: Ray Data (the extra ``ray``).

Actors hold the model, and each reads, decodes and looks at its own photos; only rows come back, to
the one process that writes them.  Ray asks for more when rows were taken, so memory is flat, and
gives the photos of a worker that was killed to another.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lafe.batch.ahead import batches, read_ahead
from lafe.batch.files import arrow_schema
from lafe.batch.jobs import Job
from lafe.batch.rows import TERMS, Question, Said, rows
from lafe.checkpoints.store import load
from lafe.errors import LafeError

if TYPE_CHECKING:
    import pyarrow as pa

LOCAL = "local"
"""The address of a Ray of our own, which ends with the command."""

CALL = 4
"""Batches of photos that an actor is given at a time."""

STORE = 256 * 1024**2
"""Bytes of our own Ray's object store: rows are small."""


class RayError(LafeError):
    """A Ray that cannot be reached; the message says where it was sought."""


@dataclass(frozen=True)
class Actors:
    """The processes that look at photos.

    Attributes:
        checkpoint: a folder that every machine has.
        count: how many.
        device: ``cpu``, or ``cuda`` for a GPU of its own for each.
        batch_size, workers: of each, as for one process.
    """

    checkpoint: str
    count: int
    device: str
    batch_size: int
    workers: int


def start(address: str = LOCAL) -> None:
    """Connect to a Ray that runs, or start one on this machine.

    Raises:
        ModuleNotFoundError: the extra ``ray`` is not installed.
        RayError: no Ray is at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing goes to the network
    import ray
    from ray.data import DataContext

    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        options |= {"include_dashboard": False, "object_store_memory": STORE}
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
    except Exception as error:  # Ray raises this class itself where one does not start in time
        reason = str(error).partition("\n")[0]
        where = "Ray did not start here" if address == LOCAL else f"There is no Ray at {address!r}"
        raise RayError(f"{where} ({reason}).") from error
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.verbose_stats_logs = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def stop() -> None:
    """Let go of Ray; one of our own ends."""
    import ray

    ray.shutdown()


def said_on_ray(question: Question, jobs: Sequence[Job], actors: Actors) -> Iterator[Said]:
    """Say of each photo what is asked, in the order in which workers are done.

    Args:
        question: of each photo.
        jobs: whose paths every machine can open.
        actors: that look at them; Ray was started.
    """
    import ray.data

    if not jobs:
        return
    size = CALL * actors.batch_size
    blocks = [_table(jobs[i : i + size], i) for i in range(0, len(jobs), size)]
    found = ray.data.from_arrow(blocks).map_batches(
        _Worker,
        fn_constructor_args=(question, actors),
        batch_size=size,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=actors.count),
        num_cpus=1 if actors.device == "cpu" else actors.workers,
        num_gpus=None if actors.device == "cpu" else 1,
    )
    tables: Iterable[Any] = found.iter_batches(batch_size=None, batch_format="pyarrow")
    for table in tables:
        for row in table.to_pylist():
            yield _said(row, jobs)


class _Worker:
    """An actor: a model, and what it is asked of each photo."""

    def __init__(self, question: Question, actors: Actors) -> None:
        if actors.device == "cpu":
            torch.set_num_threads(1)
        self.question, self.actors = question, actors
        model = load(actors.checkpoint, actors.device)
        self.model = model.to(memory_format=torch.channels_last)

    def __call__(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        todo = {job: index for index, job in _jobs(table)}
        size = self.actors.batch_size
        reads = read_ahead(todo, self.model.preprocess, self.actors.workers, 2 * size)
        said = [
            one for batch in batches(reads, size) for one in rows(self.model, self.question, batch)
        ]
        # A name may be no UTF-8: the process that writes knows it by its number.
        values = [
            one.row | {"photo": "", "_job": todo[one.job], "_maps": _packed(one)} for one in said
        ]
        schema = arrow_schema(self.question.columns)
        schema = schema.append(pa.field("_job", pa.int64()))
        return pa.Table.from_pylist(values, schema.append(pa.field("_maps", pa.binary())))


def _table(jobs: Sequence[Job], first: int) -> pa.Table:
    import pyarrow as pa

    columns = zip(*(astuple(job) for job in jobs), strict=True)
    names, paths, *others = (list(column) for column in columns)
    kinds = (pa.int64(), pa.int64(), pa.int64(), pa.string())
    return pa.table(
        {
            "index": pa.array(range(first, first + len(jobs)), pa.int64()),
            "name": pa.array(map(os.fsencode, names), pa.binary()),
            "path": pa.array(map(os.fsencode, paths), pa.binary()),
        }
        | {
            field: pa.array(values, kind)
            for field, values, kind in zip(
                ("label", "offset", "size", "problem"), others, kinds, strict=True
            )
        }
    )


def _jobs(table: pa.Table) -> Iterator[tuple[int, Job]]:
    for row in table.to_pylist():
        index, name, path = (row.pop(field) for field in ("index", "name", "path"))
        yield index, Job(os.fsdecode(name), os.fsdecode(path), **row)


def _packed(said: Said) -> bytes | None:
    if said.maps is None:
        return None
    return np.append(said.maps.numpy().ravel(), np.float32(said.bias)).tobytes()


def _said(row: dict[str, Any], jobs: Sequence[Job]) -> Said:
    job, packed = jobs[row.pop("_job")], row.pop("_maps")
    row["photo"] = job.name
    if packed is None:
        return Said(job, row)
    *maps, bias = np.frombuffer(packed, np.float32)
    side = round((len(maps) / len(TERMS)) ** 0.5)
    return Said(job, row, torch.tensor(maps).view(len(TERMS), side, side), float(bias))
