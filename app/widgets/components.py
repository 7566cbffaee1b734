"""Streamlit components of our own: crop box, pictures, diagram with its switches."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from PIL import Image
from streamlit.components.v2.types import ComponentRenderer

from lafe.branches import Branch, Switches
from lafe.data.photo import MIN_SIDE, Box
from lafe.render.overlay import RGB
from lafe.render.pictures import SIDE as VIEW, jpeg_url

from ..figures.diagram import diagram
from ..state.session import Photo

_ASSETS = Path(__file__).parents[1] / "assets"


def component(name: str) -> ComponentRenderer:
    """Register the components in every run: Streamlit's registry belongs to its runtime."""
    html, own, js = (_text(f"{name}.{kind}") for kind in ("html", "css", "js"))
    css = _text("fingers.css") + own
    return st.components.v2.component(f"lafe_{name}", html=html, css=css, js=js)


@functools.cache
def _text(file: str) -> str:
    return (_ASSETS / file).read_text(encoding="utf-8")


def cropper(photo: Photo, on_change: Callable[[Box], None]) -> None:
    """Show the photo with its crop; ``on_change`` gets the new box when a drag ends."""
    key = f"cropper-{photo.digest}"

    def changed() -> None:
        box = st.session_state[key].get("box")
        if box is not None:
            left, top, right, bottom = (float(edge) for edge in box)
            on_change((left, top, right, bottom))

    component("cropper")(
        key=key,
        data={
            "src": jpeg_url(photo.image),
            "box": list(photo.crop),
            "min": [min(1, MIN_SIDE / side) for side in photo.image.size],
        },
        on_box_change=changed,
    )


CELLS = 96
"""Cells in a row, and in a column, of what a brush paints on."""


def brush(
    picture: Image.Image, cells: bytes, on_change: Callable[[bytes], None], *, key: str
) -> None:
    """Show a picture to paint on; ``on_change`` gets the painted cells when a stroke ends.

    ``cells``: eight a byte, row by row, see :func:`lafe.explain.region.unpacked`.
    """

    def changed() -> None:
        with suppress(binascii.Error):  # whatever a client sends
            painted = base64.b64decode(str(st.session_state[key].get("cells")), validate=True)
            if len(painted) == len(cells):
                on_change(painted)

    component("brush")(
        key=key,
        data={
            "src": jpeg_url(picture),
            "alt": "What the model sees of your photo, with the region that you painted",
            "cells": base64.b64encode(cells).decode(),
            "side": CELLS,
            "ratio": picture.width / picture.height,
        },
        on_cells_change=changed,
    )


class Shown(NamedTuple):
    """A picture of the photo: what it is, its panel's letter, and words below it."""

    picture: Image.Image | RGB
    alt: str
    letter: str = ""
    title: str = ""


def viewer(pictures: Sequence[Shown]) -> None:
    """Show pictures of one photo, side by side or with a wipe; zoom and place are the browser's."""
    given = []
    for picture, alt, letter, title in pictures:
        width, height = picture.size if isinstance(picture, Image.Image) else picture.shape[1::-1]
        src = jpeg_url(picture, VIEW)
        given.append(
            {"src": src, "alt": alt, "letter": letter, "title": title, "ratio": width / height}
        )
    component("viewer")(key="viewer", data={"pictures": given})


def _both(switches: Switches) -> str:
    """The diagram lying and upright; the style sheet shows the one that there is room for."""
    return diagram(switches) + diagram(switches, upright=True)


def live_diagram(
    switches: Switches, on_switch: Callable[[Switches], None] | None, *, key: str
) -> None:
    """Show how the model is built; a click on a branch gives ``on_switch`` the new setting."""

    def switched() -> None:
        text = st.session_state[key].get("switch")
        if text is not None and on_switch is not None:
            on_switch(switches.toggled(Branch.parse(text)))

    component("diagram")(key=key, data=_both(switches), on_switch_change=switched)
