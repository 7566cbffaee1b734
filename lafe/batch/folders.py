"""A folder for each of many photos, with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lafe.batch.rows import Explanations, Said
from lafe.data.photo import crop
from lafe.files import write_bytes
from lafe.render.bundle import files
from lafe.render.comparison import compare_prepared


class PhotoFolders:
    """The folders that rows of :class:`lafe.batch.rows.Explanations` name.

    Each holds the files of :mod:`lafe.render.bundle`.
    """

    held = 1

    def __init__(self, home: Path, asked: Explanations) -> None:
        self.home, self.asked = home, asked

    def write(self, photos: Sequence[Said]) -> None:
        """Write the folder of each photo that could be read."""
        for said in photos:
            if said.photo is None:
                continue
            # Opened again: a batch of decoded photos would take more memory than its features.
            part = crop(said.job.open(), self.asked.box)
            found = compare_prepared(part, said.photo, self.asked.compared, self.asked.box)
            for name, data in files(found).items():
                write_bytes(self.home / said.row["folder"] / name, data)
