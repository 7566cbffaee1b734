"""Photos to try at once: drawn birds, the operator's own, and test photos where they are here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import streamlit as st
from PIL import Image

from lafe.data import DataError, partbirds
from lafe.data.examples import ExampleError, licensed
from lafe.data.photo import open_photo
from lafe.measure.outputs import open_test_split

log = logging.getLogger(__name__)

SIDE = 200  # px, of a tile
NINE = 9
"""Drawn birds: those that show something first, then other species."""
SPLITS = {"cub": "A test photo of birds", "cars": "A test photo of cars",
          "aircraft": "A test photo of aircraft"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Example:
    """A photo to try: its name, whose it is, a small picture, and how to get its bytes."""

    name: str
    licence: str
    small: Image.Image
    data: Callable[[], bytes]


def examples() -> tuple[Example, ...]:
    """All tiles of the first screen."""
    return _all(os.environ.get("LAFE_EXAMPLES"), os.environ.get("LAFE_DATA"))


@st.cache_resource(max_entries=4, show_spinner=False)
def _all(folder: str | None, data: str | None) -> tuple[Example, ...]:
    found = _drawn()
    if folder:
        found += _own(Path(folder))
    if data:
        found += _test_photos(data)
    return found


def _drawn() -> tuple[Example, ...]:
    shown = partbirds.examples()
    others = [bird for bird in partbirds.CLASSES if bird not in [each.bird for each in shown]]
    more = [
        partbirds.Example(bird.name, bird, 11 + 14 * i)
        for i, bird in enumerate(others[:: max(1, len(others) // NINE)])
    ]
    return tuple(
        Example(each.title, "drawn by LAFE", _small(drawn(each)), partial(_png, each))
        for each in [*shown, *more][:NINE]
    )


def drawn(example: partbirds.Example | None = None) -> Image.Image:
    """A drawn bird; the first one by default."""
    return Image.fromarray((example or partbirds.examples()[0]).draw().image)


def _png(example: partbirds.Example) -> bytes:
    out = BytesIO()
    drawn(example).save(out, "PNG")
    return out.getvalue()


def _own(folder: Path) -> tuple[Example, ...]:
    try:
        return tuple(
            Example(path.stem.replace("_", " "), licence, _small(open_photo(path)), path.read_bytes)
            for path, licence in licensed(folder).items()
        )
    except ExampleError as error:
        log.error("LAFE_EXAMPLES: %s", error)
        return ()


def _test_photos(root: str) -> tuple[Example, ...]:
    """The photo in the middle of every test split that is at hand."""
    found = []
    for kind, name in SPLITS.items():
        try:
            split = open_test_split(kind, root)
        except DataError:
            continue  # this one is not here
        path = split.paths[len(split) // 2]
        found.append(Example(name, "for research only", _small(open_photo(path)), path.read_bytes))
    return tuple(found)


def _small(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    return small
