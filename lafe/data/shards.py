"""Tar shards in WebDataset's layout (not compressed), read as a data set that can be indexed.

    flowers/train-000.tar                flowers/000.tar
    flowers/test-000.tar                   oxeye_daisy/01.jpg
      0001.jpg  0001.cls

What has one name up to the first dot, one after the other, is one sample.  Its class is what its
``.cls`` says, a name or a line of ``classes.txt`` beside the shards, counted from 0; or its folder
in the shard.  A shard whose name, or whose folder's, has ``train``, ``val`` or ``test`` in it is of
that split; where none has, photos are held out as of class folders, see :mod:`lafe.data.folders`.

A shard's headers are read once, and then any photo is: pairs meet that lie in different shards, an
epoch has every photo once on any number of processes, and a resumed run sees what an uncut one
would.  A stream of shards promises none of the three.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lafe.data.dataset import DataError, PhotoDataset, Span
from lafe.data.folders import SPLIT_NAMES, drawn, require_some, untested
from lafe.data.layout import subfolders
from lafe.data.names import key, labels_of, same, shown
from lafe.data.walk import ENDINGS, is_hidden

CLASSES = "classes.txt"
_CLS_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo in a shard.

    Attributes:
        name: in the shard.
        span: where its bytes lie.
        said: what its ``.cls`` says; None where it has none.
    """

    name: PurePosixPath
    span: Span
    said: str | None


def samples(shard: Path) -> Iterator[Sample]:
    """The photos of a shard, in its order.

    Raises:
        DataError: it is damaged or no tar file; after the photos before the damage.
    """
    stem, said = "", None
    photos: list[tuple[PurePosixPath, Span]] = []

    def done() -> Iterator[Sample]:
        return (Sample(name, span, said) for name, span in photos)

    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isreg() or is_hidden(name.name):
                    continue
                own = str(name.with_name(name.name.partition(".")[0]))
                if own != stem:
                    yield from done()
                    stem, said, photos = own, None, []
                if name.name.endswith(".cls"):
                    file = tar.extractfile(member)
                    text = b"" if file is None else file.read(_CLS_BYTES)
                    said = text.decode(errors="replace").strip()
                elif name.suffix.lower() in ENDINGS:
                    photos.append((name, Span(shard, member.offset_data, member.size)))
    except (tarfile.TarError, OSError, EOFError) as error:
        yield from done()
        raise DataError(f"{shard} is damaged or no tar file ({error}).") from error
    yield from done()


def holds_shards(root: str | Path) -> bool:
    """True if shards lie in a folder, or in its folders that are named like splits."""
    return Path(root).is_dir() and bool(_shards(Path(root)))


def read_shards(root: str | Path, split: str, val_fraction: float, seed: int) -> PhotoDataset:
    """One split of a folder of shards.

    Photos are in the order of their class and their name in the shards, so that it does not matter
    which shard has which.

    Args:
        root: the folder.
        split: "train", "val", "trainval" or "test".
        val_fraction, seed: see :func:`lafe.data.folders.read_folder`.

    Raises:
        DataError: a damaged shard, a photo without a class, no photo in the split; with what to do.
    """
    home = Path(os.path.abspath(root))
    shards = _shards(home)
    parts = {_split_of(home, shard) for shard in shards}
    if "" in parts and len(parts) > 1:
        raise DataError(
            f"{home}: some shards are named after a split, and {_unnamed(home, shards)} is not: "
            "name all so, or none."
        )
    listed = _listed(home)
    found: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    for shard in shards:
        found[_split_of(home, shard)] += ((_class(each, listed), each) for each in samples(shard))
    folders = listed or _classes(name for name, _ in found["train" if "train" in parts else ""])
    if pair := same(folders):
        raise DataError(f"{home}: {pair[0]!r} and {pair[1]!r} are one class: write both one way.")
    if len(folders) < 2:
        raise DataError(f"{home} holds one class or none: a model tells two or more apart.")
    labels = labels_of(folders)
    rows: dict[str, list[tuple[int, str, str, Sample]]] = defaultdict(list)
    for part, photos in found.items():
        for name, each in photos:
            if (label := labels.get(key(name))) is None:
                place = f"{each.span.file}/{each.name}"
                raise DataError(f"{place} is of {name!r}, a class that train does not have.")
            file = Path(each.name.name)
            own = drawn(part, "val" in parts, folders[label], file, val_fraction, seed)
            rows[own].append((label, part, str(each.name), each))
    rows["trainval"] = rows["train"] + rows["val"]
    chosen = sorted(rows[split], key=lambda row: (*row[:3], row[3].span.file))
    own_labels, own_photos = [row[0] for row in chosen], [row[3] for row in chosen]
    require_some(split, own_labels, home, folders)
    tested = (row[0] for row in rows["test"])
    return PhotoDataset(
        name=home.name,
        paths=[each.span.file / each.name for each in own_photos],
        labels=own_labels,
        classes=[shown(name) for name in folders],
        home=home,
        notes=tuple(untested(tested, folders)) if "test" in parts or parts == {""} else (),
        spans=[each.span for each in own_photos],
    )


def _shards(root: Path) -> list[Path]:
    folders = [root, *(f for f in subfolders(root) if f.name.casefold() in SPLIT_NAMES)]
    return [shard for folder in folders for shard in sorted(folder.glob("*.tar"))]


def _split_of(home: Path, shard: Path) -> str:
    """The split that a shard's name, or its folder's in ``home``, says; empty if none."""
    words = re.split(r"[^a-z]+", shard.relative_to(home).with_suffix("").as_posix().casefold())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _unnamed(home: Path, shards: Sequence[Path]) -> Path:
    return next(shard for shard in shards if not _split_of(home, shard))


def _listed(home: Path) -> list[str]:
    """The classes in label order, where a file lists them."""
    file = home / CLASSES
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _class(sample: Sample, listed: Sequence[str]) -> str:
    said, place = sample.said, f"{sample.span.file}/{sample.name}"
    if said is None:
        if folder := sample.name.parent.name:
            return folder
        raise DataError(f"{place} has no class: add its .cls, or put it into a folder.")
    if not said.isdecimal() or not listed:
        return said
    if int(said) >= len(listed):
        raise DataError(f"{place} is of class {said}, and {CLASSES} lists {len(listed)}.")
    return listed[int(said)]


def _classes(names: Iterator[str]) -> list[str]:
    """The classes in order: by number if all are numbers."""
    found = set(names)
    return sorted(found, key=int) if all(map(str.isdecimal, found)) else sorted(found)
