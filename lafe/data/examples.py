"""Photos that an operator shows to visitors: each with a line that says whose it is."""

from __future__ import annotations

from pathlib import Path

from lafe.data.photo import PhotoError, open_photo
from lafe.errors import LafeError

LICENCES = "licences.txt"


class ExampleError(LafeError):
    """A folder of examples without a line for each of its photos; the message says which."""


def licensed(folder: Path) -> dict[Path, str]:
    """The photos of a folder with their licences, in the order of ``licences.txt``.

    A line of that file is a photo's name, white space, and whose it is: ``robin.jpg  Jane Doe,
    public domain``.

    Raises:
        ExampleError: no such file, a line without a licence, a line of a photo that is not there or
            cannot be read, a photo without a line.
    """
    listing = folder / LICENCES
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExampleError(
            f"{listing} cannot be read ({error}): write a line a photo, its file's name and whose "
            "it is."
        ) from error
    found: dict[Path, str] = {}
    for line in filter(str.strip, lines):
        name, licence = [*line.strip().split(maxsplit=1), ""][:2]
        if not licence.strip():
            raise ExampleError(f"{listing}: the line of {name} does not say whose the photo is.")
        path = folder / name
        try:
            open_photo(path)
        except PhotoError as error:
            raise ExampleError(f"{listing}: {name} cannot be used.  {error}") from error
        found[path] = licence.strip()
    others = [p for p in sorted(folder.iterdir()) if p.name != LICENCES and p not in found]
    if others:
        raise ExampleError(f"{listing} has no line for {others[0].name}.")
    return found
