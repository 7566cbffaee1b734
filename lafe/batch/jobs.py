"""The photos that a command does, and the class that each is compared with.

Photos come from files, folders with all that is below them, patterns (``photos/**/*.jpg``), a list
on standard input (``-``), the column ``photo`` of a Parquet file, tar shards in WebDataset's
layout, and places that pyarrow's file systems know (``s3://bucket/folder``).
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from PIL.Image import Image

from lafe.checkpoints.card import Card
from lafe.data.dataset import DataError, Span
from lafe.data.names import label_of, labels_of
from lafe.data.photo import MAX_BYTES, PhotoError, open_photo
from lafe.data.shards import samples
from lafe.data.walk import ENDINGS, is_hidden, walk

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Job:
    """A photo to do.

    Attributes:
        name: as it was given, or as the folder or the shard that was given leads to it.
        path: of the file, or of the shard that it lies in; or a place such as ``s3://...``.
        label: the index of its true class, where its folder or its shard names one.
        offset, size: of its bytes in a shard.
        problem: the reason why it cannot be read, where that is known already.
    """

    name: str
    path: str
    label: int | None = None
    offset: int | None = None
    size: int = 0
    problem: str | None = None

    def open(self) -> Image:
        """The photo, decoded; PhotoError if it cannot be read."""
        if self.problem is not None:
            raise PhotoError(self.problem)
        # Nobody waits at a screen: a photo waits for room to be decoded as long as it takes.
        return open_photo(self._source(), patience=None)

    def _source(self) -> str | bytes:
        try:
            if self.offset is not None:
                return Span(Path(self.path), self.offset, self.size).read(MAX_BYTES + 1)
            if _is_remote(self.path):
                system, inside = _system(self.path)
                with system.open_input_stream(inside) as stream:
                    data: bytes = stream.read(MAX_BYTES + 1)
                    return data
        except OSError as error:
            raise PhotoError(f"{self.name} cannot be read: {error}.") from None
        return self.path


@dataclass(frozen=True)
class Jobs:
    """All photos to do, each once, and what was said of the rest."""

    todo: tuple[Job, ...]
    said: str = ""


def jobs(paths: Sequence[str | Path], card: Card) -> Jobs:
    """The photos that arguments name: of lists and shards first, then files and folders.

    A photo's label is the class that its folder is named after, or the nearest folder above that is
    named too, up to the one that was given.  In a shard it is what the sample's ``.cls`` says, an
    index or a name.

    Raises:
        lafe.PhotoError: a path that does not exist, or folders without a photo.
    """
    labels = labels_of(card.classes)
    found: list[Job] = []
    local: list[Path] = []
    for given in map(str, paths):
        if given == STDIN:
            found += (_named(line, labels) for line in _lines(sys.stdin) if line)
        elif _is_remote(given):
            found += _remote(given, labels)
        elif given.endswith(".parquet") and os.path.isfile(given):
            found += (_named(name, labels) for name in _column(given))
        elif given.endswith(".tar") and os.path.isfile(given):
            found += _members(given, labels, len(card.classes))
        else:
            local += _matching(given)
    walked = walk(local)
    tops = {_absolute(path if path.is_dir() else path.parent) for path in local}
    found += (Job(str(path), str(path), _label(path, tops, labels)) for path in walked.photos)
    if not found:
        given = ", ".join(map(str, paths))
        raise PhotoError(f"No photo (JPEG, PNG, WebP) is in {given}.  {walked.said}".rstrip())
    once: dict[str, Job] = {}
    for job in found:
        once.setdefault(_place(job), job)
    return Jobs(tuple(once.values()), walked.said)


def _place(job: Job) -> str:
    """The name of a photo however an argument writes it."""
    inside = job.offset is not None or _is_remote(job.path)
    return job.name if inside else str(_absolute(Path(job.path)))


def _lines(text: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in text)


def _matching(given: str) -> list[Path]:
    """The path itself, or what a pattern matches."""
    if os.path.exists(given):
        return [Path(given)]
    matches = sorted(glob.glob(given, recursive=True)) if glob.has_magic(given) else []
    if not matches:
        raise PhotoError(f"There is no photo or folder {given}.")
    return [Path(match) for match in matches]


def _named(name: str, labels: dict[str, int]) -> Job:
    """A photo that a list names."""
    if _is_remote(name):
        return Job(name, name, label_of(PurePosixPath(name).parent.name, labels))
    return Job(name, name, label_of(_absolute(Path(name)).parent.name, labels))


def _label(photo: Path, tops: Set[Path], labels: dict[str, int]) -> int | None:
    folder = _absolute(photo).parent
    while (label := label_of(folder.name, labels)) is None and folder not in tops:
        folder = folder.parent
    return label


def _absolute(path: Path) -> Path:
    """An absolute path, without ``.`` and ``..``; links keep the names that they have here."""
    return Path(os.path.abspath(path))


def _column(file: str) -> Iterator[str]:
    """The column ``photo`` of a Parquet file, such as an earlier run's rows."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(columns=["photo"]):
                yield from batch.column("photo").to_pylist()
    except (ArrowException, KeyError, OSError):
        raise PhotoError(f"{file} is no Parquet file with a column 'photo' of paths.") from None


def _members(shard: str, labels: dict[str, int], classes: int) -> Iterator[Job]:
    """The photos of a tar shard: where their bytes lie, so that any worker can read any of them."""
    try:
        for sample in samples(Path(shard)):
            label = None if sample.said is None else _class(sample.said, labels, classes)
            if label is None:
                label = label_of(sample.name.parent.name, labels)
            span = sample.span
            yield Job(f"{shard}/{sample.name}", shard, label, span.offset, span.size)
    except DataError as error:
        yield Job(shard, shard, problem=str(error))


def _class(said: str, labels: dict[str, int], classes: int) -> int | None:
    if said.isdecimal():
        return int(said) if int(said) < classes else None
    return label_of(said, labels)


def _is_remote(given: str) -> bool:
    return "://" in given


def _remote(given: str, labels: dict[str, int]) -> Iterator[Job]:
    """A photo, or all below a folder, on one of pyarrow's file systems; told by their endings."""
    from pyarrow import fs

    system, inside = _system(given)
    try:
        if system.get_file_info(inside).type == fs.FileType.File:
            yield _named(given, labels)
            return
        entries = system.get_file_info(fs.FileSelector(inside, recursive=True))
    except OSError as error:
        raise PhotoError(f"{given} cannot be read: {error}.") from None
    top = given.rstrip("/")
    for path in sorted(entry.path for entry in entries if entry.type == fs.FileType.File):
        place = PurePosixPath(path)
        if place.suffix.lower() in ENDINGS and not any(map(is_hidden, place.parts)):
            name = f"{top}/{path[len(inside.rstrip('/')) + 1 :]}"
            yield Job(name, name, label_of(place.parent.name, labels))


def _system(given: str) -> tuple[Any, str]:
    """The file system of a place, and the path in it."""
    scheme, _, rest = given.partition("://")
    host, slash, inside = rest.partition("/")
    system, root = _root(f"{scheme}://{host}{slash}")
    return system, f"{root.rstrip('/')}/{inside}" if inside else root


@lru_cache
def _root(given: str) -> tuple[Any, str]:
    from pyarrow import ArrowException, fs

    try:
        system, root = fs.FileSystem.from_uri(given)
    except (ArrowException, ValueError, OSError) as error:
        raise PhotoError(f"There is no photo or folder {given} ({error}).") from None
    return system, root
