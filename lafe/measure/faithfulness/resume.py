"""Figures of one photo a line: a run that was cut goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from lafe.files import write_text
from lafe.measure import records
from lafe.measure.faithfulness.registry import FaithfulnessError

R = TypeVar("R")


def resume(file: Path, settings: Any, kind: type[R]) -> list[R]:
    """Read the photos that are done; the file is begun, or mended where it was cut within a line.

    Args:
        file: its first line holds the settings, each other one a photo.
        settings: of this run.
        kind: of a photo's record.

    Raises:
        FaithfulnessError: the file holds figures of other settings.
    """
    head = records.to_text(settings)
    rows: list[R] = []
    if file.is_file():
        first, *lines = file.read_text(encoding="utf-8").split("\n")
        if first != head:
            raise FaithfulnessError(
                f"{file} holds figures of other settings: remove it, or give another --runs."
            )
        # What follows the last newline was cut.
        rows = [records.from_text(line, kind, str(file)) for line in lines[:-1]]
    text = "".join(line + "\n" for line in (head, *map(records.to_text, rows)))
    write_text(file, text)
    return rows
