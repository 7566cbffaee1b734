"""Files that are written whole or not at all: a cut at any moment leaves the old one or the new."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STALE_SECONDS = 24 * 3600
"""A draft that has not been written to for so long is of a process that was killed."""


@contextmanager
def replacing(file: str | Path) -> Iterator[Path]:
    """A draft to write to, which takes the place of ``file`` in one step when all went well.

    The draft lies beside the file, since a step across disks is a copy; its name is its own, so
    that two writers never share one, and hidden.  It is on the disk before it gets its name.  The
    folder is made.  Nothing reads a draft; those that killed writers left are removed.

    Example:
        >>> with replacing("report.json") as draft:
        ...     draft.write_text("{}")
    """
    file = Path(file).resolve()  # a link goes on to lead there
    if file.exists() and not file.is_file():  # a pipe or /dev/null is written to, never replaced
        yield file
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_drafts(file)
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        yield draft
        draft.chmod(_mode(file))
        _to_disk(draft)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _to_disk(file.parent)


def write_bytes(file: str | Path, content: bytes) -> None:
    """Write bytes in one step."""
    with replacing(file) as draft:
        draft.write_bytes(content)


def write_text(file: str | Path, content: str) -> None:
    """Write text as UTF-8 in one step."""
    write_bytes(file, content.encode())


def write_json(file: str | Path, values: Any) -> None:
    """Write JSON as UTF-8 in one step, for people to read."""
    write_text(file, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def _remove_stale_drafts(file: Path) -> None:
    drafts = re.compile(re.escape(f".{file.name}.") + r"[0-9a-f]{12}\.part")
    for path in file.parent.iterdir():
        if drafts.fullmatch(path.name):
            with suppress(OSError):  # another writer may do the same
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()


def _mode(file: Path) -> int:
    """The mode of the file that is replaced, else what the user's mask leaves of 0666."""
    if file.exists():
        return file.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
