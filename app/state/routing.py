"""The model that looks at a photo: that of its kind, unless the visitor chose another."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import streamlit as st

from lafe.checkpoints import store
from lafe.data.photo import WHOLE
from lafe.explain import router
from lafe.explain.router import FILE, KINDS, OTHER, Router, RouterError

from . import models, session
from .models import ModelError
from .session import Photo

log = logging.getLogger(__name__)


def recognise() -> None:
    """Find the kind of every photo of the visit that nothing looked at as it is cropped now."""
    visit = session.visit()
    if any(photo.is_new for photo in visit.photos):
        photos = (_recognised(photo) if photo.is_new else photo for photo in visit.photos)
        session.keep(replace(visit, photos=tuple(photos)))


def _recognised(photo: Photo) -> Photo:
    """The photo with its kind and that kind's model, as far as they are here."""
    own = session.visit().checkpoint
    if own not in (None, *KINDS.values()):
        return photo
    try:
        found = _router(tuple(store.folders()))
        if found is None:
            return photo
        kind = _kind(photo, found)
    except (ModelError, RouterError) as error:
        log.error("Photos are not recognised: %s", error)
        return photo
    # A crop that nothing matches stays where it was: with the model of the crop before.
    kept = own if photo.crop == WHOLE else photo.checkpoint or own
    checkpoint = KINDS[kind] or kept
    return replace(photo, kind=kind, checkpoint=checkpoint, recognised=photo.crop)


def _kind(photo: Photo, found: Router) -> str:
    """The kind of a photo, one whose model is here or ``OTHER``.

    A crop is of the kind of the whole photo, unless that looks like nothing that the kind's model
    knows: a street is no car, and the crop to a car in it is one.
    """
    reader = models.model(found.checkpoint)

    def kind_of(part: Photo) -> str:
        kind = found.kind(models.prepared(part, reader))
        return kind if KINDS[kind] in models.cards() else OTHER

    whole = replace(photo, crop=WHOLE)
    kind = kind_of(whole)
    if photo.crop == WHOLE:
        return kind
    own = KINDS[kind]
    return kind if own and not models.is_unknown(whole, models.model(own)) else kind_of(photo)


@st.cache_resource(max_entries=10, ttl=models.LOOK_AGAIN_SECONDS, show_spinner=False)
def _router(folders: tuple[Path, ...]) -> Router | None:
    file = next((f / FILE for f in folders if (f / FILE).is_file()), None)
    if file is None:
        return None
    found = router.read(file)
    card = models.cards().get(found.checkpoint)
    if card is None or card.sha256 != found.sha256:
        log.error("%s belongs to other weights of %s: run `lafe router`.", file, found.checkpoint)
        return None
    return found
