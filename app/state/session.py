"""A visitor's choices: immutable values in the session, beside the widgets, so they outlive them.

Streamlit forgets a widget that is not on the page.  So widgets are set from a `Visit` before they
are drawn, and their callbacks replace it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st
from PIL import Image

from lafe.branches import EVERY_BRANCH, PRESETS, Switches
from lafe.data.photo import WHOLE, Box, PhotoError, open_photo
from lafe.explain.controls import Controls

MAX_PHOTOS = 12
MAX_PANELS = 4
MAX_SEED = 999  # of shuffles

FUSED_LAYERS = ("final", "dis", "con")
BRANCH_LAYERS = tuple(map(str, EVERY_BRANCH))
PART_LAYERS = ("evidence-backbone", "evidence-dis", "evidence-con")
PHOTO, EVIDENCE, WHY, DIFFERENCE = "photo", "evidence", "why", "difference"
MAIN_LAYERS = (PHOTO, EVIDENCE, WHY, DIFFERENCE)
EVIDENCE_LAYERS = (EVIDENCE, WHY, *PART_LAYERS)
LAYERS = MAIN_LAYERS + FUSED_LAYERS + BRANCH_LAYERS + PART_LAYERS
"""Layers over a photo: nothing; what all of F_5 says for a class, or for it rather than
the runner-up; what it says in A more than in B; F_5, D, C; a branch at a stage, like ``r_dis5``;
what one of the three parts of F_5 says for a class."""

LIKELIEST, LOOKALIKES, AVERAGE = "*", "^", "~"
"""Stand-ins for a class: panel A's likeliest that is not asked for already; the three whose logits
in A are nearest to that of the class; the mean over all."""


@dataclass(frozen=True)
class Photo:
    """A photo, its crop (fractions of its sides) and what it really shows, if given.

    The file's name is for the visitor's eyes only: it enters no log and no repr.  ``kind`` is what
    the photo was recognised as ("car") with the crop ``recognised``, and ``checkpoint`` the model
    that this led to, or that the visitor chose for it; None before anything looked at it.
    """

    digest: str
    image: Image.Image = field(compare=False, repr=False)
    name: str = field(default="", compare=False, repr=False)
    crop: Box = WHOLE
    truth: str | None = None
    kind: str | None = None
    checkpoint: str | None = None
    recognised: Box | None = None

    @property
    def is_new(self) -> bool:
        """True where nothing recognised it as it is cropped now, and nobody chose its model."""
        return self.recognised != self.crop if self.kind else self.checkpoint is None


@dataclass(frozen=True)
class Panel:
    """One setting to look at.  Without a checkpoint of its own it uses the visit's."""

    switches: Switches = Switches.all()  # noqa: RUF009  (immutable)
    checkpoint: str | None = None
    controls: Controls = Controls()  # noqa: RUF009


@dataclass(frozen=True)
class Display:
    """The map that the panels lay over the photo, and its looks.

    Evidence is that for the class ``target`` rather than ``versus``.  Probabilities are calibrated
    unless ``raw``.
    """

    layer: str = EVIDENCE
    target: str = LIKELIEST
    versus: str = AVERAGE
    shared: bool = True
    opacity: float = 0.55
    raw: bool = False


@dataclass(frozen=True)
class Visit:
    """Everything that a visitor chose.

    ``first_crop`` is a crop that came with the address: the first photo gets it.  ``choices`` are
    those of single pages, by the keys of their widgets; no address holds them.
    """

    checkpoint: str | None = None
    photos: tuple[Photo, ...] = ()
    current: str | None = None
    panels: tuple[Panel, ...] = (Panel(), Panel(PRESETS["plain backbone"]))
    display: Display = Display()
    first_crop: Box = WHOLE
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The checkpoint that looks at the photo: what it led to, else the visit's own."""
        photo = self.photo
        return photo.checkpoint if photo and photo.checkpoint else self.checkpoint

    @property
    def photo(self) -> Photo | None:
        """The photo that is looked at."""
        return next((p for p in self.photos if p.digest == self.current), None)

    def with_photo(self, photo: Photo) -> Visit:
        """Add a photo and look at it; one that is here already is not added twice."""
        if photo.digest in {p.digest for p in self.photos}:
            return replace(self, current=photo.digest)
        if not self.photos:
            photo = replace(photo, crop=self.first_crop)
        return replace(self, photos=(*self.photos, photo), current=photo.digest, first_crop=WHOLE)

    def without_photo(self, digest: str) -> Visit:
        """Forget a photo; another one is looked at, if there is one."""
        photos = tuple(p for p in self.photos if p.digest != digest)
        current = self.current
        if current == digest:
            current = photos[-1].digest if photos else None
        return replace(self, photos=photos, current=current)

    def with_crop(self, box: Box) -> Visit:
        """Crop the photo that is looked at; in steps of 1/10,000, which an address can hold."""
        left, top, right, bottom = (round(edge, 4) for edge in box)
        return self._with_current(crop=(left, top, right, bottom))

    def with_truth(self, name: str | None) -> Visit:
        """Say what the photo that is looked at really shows."""
        return self._with_current(truth=name)

    def with_model(self, name: str, kind: str | None = None) -> Visit:
        """Look at the photo with this checkpoint; without a photo, at the next ones."""
        if self.photo is None:
            return replace(self, checkpoint=name)
        return self._with_current(checkpoint=name, kind=kind)

    def _with_current(self, **changes: Any) -> Visit:
        photos = tuple(
            replace(p, **changes) if p.digest == self.current else p for p in self.photos
        )
        return replace(self, photos=photos)

    def with_panel(self, place: int, **changes: Any) -> Visit:
        """Change one panel."""
        panels = list(self.panels)
        panels[place] = replace(panels[place], **changes)
        return replace(self, panels=tuple(panels))

    def with_choice(self, key: str, value: Any) -> Visit:
        """Choose something in a widget of one page."""
        return replace(self, choices={**self.choices, key: value})

    def checkpoint_of(self, panel: Panel) -> str:
        """The name of the checkpoint that a panel uses."""
        return panel.checkpoint or self.model or ""


def visit() -> Visit:
    """The visit of this session."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = Visit()
    kept: Visit = st.session_state["visit"]
    return kept


def keep(changed: Visit) -> None:
    """Replace what the visitor chose."""
    st.session_state["visit"] = changed


def change(**changes: Any) -> None:
    """Replace fields of what the visitor chose."""
    keep(replace(visit(), **changes))


def notify(text: str) -> None:
    """Say something at the top of the page, until the next click; ``text`` is Markdown."""
    st.session_state.setdefault("notices", []).append(text)


def take_notices() -> list[str]:
    """The notices that were not shown yet."""
    notices: list[str] = st.session_state.pop("notices", [])
    return notices


def add_photo(data: bytes, name: str, **known: Any) -> str | None:
    """Add a file to the visit; returns what is wrong with it, or None.  ``known``: of `Photo`."""
    if len(visit().photos) >= MAX_PHOTOS:
        return f"{MAX_PHOTOS} photos is the most at a time: remove one first."
    try:
        image = open_photo(data)
    except PhotoError as error:
        return str(error)
    keep(visit().with_photo(Photo(hashlib.sha256(data).hexdigest(), image, name, **known)))
    return None
