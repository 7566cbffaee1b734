"""Files that commands write: tried before the work, and never replaced without ``--force``."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lafe.errors import LafeError

Row = dict[str, Any]
"""A command's answers for one photo, by column."""


class OutputError(LafeError):
    """A path that nothing can or should be written to; the message says why."""


def add_force(command: argparse.ArgumentParser) -> None:
    """The option without which nothing is replaced."""
    command.add_argument("--force", action="store_true", help="replace what is there already")


def require_file(path: Path, force: bool) -> Path:
    """See that a file can be written; its folder is made.

    Raises:
        OutputError: it is a folder, or there already, or its folder cannot be written to.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it.")
    if path.exists() and not path.is_file():
        return path  # a pipe, /dev/null
    if path.exists() and not force:
        raise OutputError(
            f"{path} is there already: choose another name, or --force to replace it."
        )
    _require_writable(path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputError(f"{path} is read-only: choose another name.")
    return path


def require_folder(folder: Path, names: Iterable[str], force: bool) -> Path:
    """See that files can be written into a folder, which is made.

    Raises:
        OutputError: it is a file, or holds one of the files already, or cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: name a folder.")
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise OutputError(
            f"{folder / there[0]} is there already: choose another folder, or --force."
        )
    _require_writable(folder)
    return folder


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))  # on a full disk, an empty file could still be made
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}.") from error


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor, or is no character, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
