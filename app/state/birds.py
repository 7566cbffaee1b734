"""Birds of the Studio under a model: drawn and looked at once, shared by all visitors."""

from __future__ import annotations

import streamlit as st
from PIL import Image

from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.partbirds import CLASSES, Sketch
from lafe.explain.prepare import Prepared, prepare

from . import models, session

MAX_BIRDS = 48
_SCENE, _SIDE = 103, 240  # of portraits; px


def checkpoint() -> str | None:
    """The checkpoint that knows PartBirds: the visit's, or the first one; None if there is none."""
    known = [name for name, card in models.cards().items() if knows(card)]
    own = session.visit().checkpoint
    return own if own in known else next(iter(known), None)


def knows(card: Card) -> bool:
    """True of a model of PartBirds."""
    return list(card.classes) == [bird.name for bird in CLASSES]


@st.cache_resource(show_spinner=False)
def portrait(label: int) -> Image.Image:
    """A species of PartBirds; all in one scene, so that nothing else differs."""
    return Image.fromarray(Sketch.of(CLASSES[label].parts, _SCENE).draw(_SIDE).image)


@st.cache_resource(
    max_entries=MAX_BIRDS,
    show_spinner=False,
    hash_funcs=models.KNOWN_BY | {Sketch: repr},
)
def prepared(sketch: Sketch, model: Trained) -> Prepared:
    """The bird's features under a model."""
    return prepare(model, Image.fromarray(sketch.draw().image))
