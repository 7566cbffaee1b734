"""Files that commands write: tried before the work, and never replaced without ``--force``."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, TextIO

from tqdm import tqdm

from lafe.errors import LafeError

Row = dict[str, Any]


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


@contextmanager
def rows_to(
    args: argparse.Namespace, line: Callable[[Row], str]
) -> Iterator[Callable[[Row], None]]:
    """Write rows: JSON lines or CSV, in a file or to stdout, or sentences for people.

    Each row is flushed: a cut keeps what was done.  What ``--force`` replaces stays until there is
    a row.  JSON and CSV are UTF-8; bytes of a file's name that are none become ``\\udcNN``, as
    Python and JSON escape them.
    """
    kind = "json" if args.json else "csv" if getattr(args, "csv", None) else None
    name = getattr(args, kind) if kind else "-"
    path = None if name == "-" else Path(name)
    files: list[TextIO] = []
    header: list[str] = []

    def out() -> TextIO:
        if not files:
            files.append(sys.stdout if path is None else _open(path, args.force))
        return files[0]

    def write(row: Row) -> None:
        if kind is None:
            tqdm.write(printable(line(row)), file=out())
        elif kind == "json":
            out().write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            table, flat = csv.writer(out()), _flat(row)
            if not header:
                header.extend(flat)
                table.writerow(header)
            table.writerow([flat.get(key) for key in header])
        out().flush()

    if kind and path is None and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield write
        out()  # without any row an empty file, not the old one
    finally:
        if path is not None and files:
            files[0].close()


def _open(path: Path, force: bool) -> TextIO:
    mode: Literal["w", "x"] = "w" if force or (path.exists() and not path.is_file()) else "x"
    return open(path, mode, encoding="utf-8", errors="backslashreplace", newline="")


def _flat(row: Row) -> Row:
    """One level of columns; lists are left to JSON."""
    flat: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{k}": v for k, v in value.items() if not isinstance(v, list)}
        elif not isinstance(value, list):
            flat[key] = value
    return flat


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor, or is no character, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
