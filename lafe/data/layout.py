"""The place of a data set in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lafe.data.dataset import DataError
from lafe.data.walk import is_hidden


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without hidden ones."""
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be opened: {error.strerror}.") from error
    return [path for path in inside if not is_hidden(path.name) and path.is_dir()]


def locate(root: str | Path, folder: str, needed: Sequence[str]) -> Path:
    """The folder of a data set, given itself, its parent, or either as mirrors pack it.

    Args:
        root: what was given.
        folder: the name under which the data set is published.
        needed: files and folders that must be in it; of alternatives, parted by ``|``, one.

    Raises:
        DataError: nothing of it is there, or something is missing; the message says where.
    """
    given = Path(os.path.abspath(root))
    if not given.is_dir():
        raise DataError(f"There is no folder {given}.")
    places = list(dict.fromkeys(_places(given, folder)))
    lacking = {place: [n for n in needed if not find(place, n).exists()] for place in places}
    best = min(places, key=lambda place: len(lacking[place]))
    if not lacking[best]:
        return best
    if best.name != folder and len(lacking[best]) == len(needed):
        raise DataError(f"{given} should be the folder {folder}, or hold it; neither is there.")
    missing = ", ".join(name.split("|")[0] for name in lacking[best])
    raise DataError(f"{best} is incomplete: {missing} is missing.")


def find(home: Path, name: str) -> Path:
    """A file or folder in a data set: of alternatives the first that is there, else the last."""
    paths = [home / each for each in name.split("|")]
    return next((path for path in paths if path.exists()), paths[-1])


def _places(given: Path, folder: str) -> Iterator[Path]:
    """The folders to look in: here, below, and one deeper, where a mirror's archive unpacks to."""
    yield given
    if (given / folder).is_dir():
        yield given / folder
        yield from subfolders(given / folder)
    yield from subfolders(given)
