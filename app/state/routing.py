"""The model that looks at a photo: that of its kind, unless the visitor chose another."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import streamlit as st

from lafe.checkpoints import store
from lafe.explain import router
from lafe.explain.router import FILE, KINDS, OTHER, Router, RouterError

from . import models, session
from .models import ModelError
from .session import Photo

log = logging.getLogger(__name__)


def recognise() -> None:
    """Find the kind of every photo of the visit that nothing has looked at yet."""
    visit = session.visit()
    if all(photo.kind for photo in visit.photos):
        return
    session.keep(replace(visit, photos=tuple(map(_recognised, visit.photos))))


def _recognised(photo: Photo) -> Photo:
    """The photo with its kind and that kind's model, as far as they are here."""
    own = session.visit().checkpoint
    if photo.kind or photo.checkpoint or own not in (None, *KINDS.values()):
        return photo
    try:
        found = _router(tuple(store.folders()))
        if found is None:
            return photo
        kind = found.kind(models.prepared(photo, models.model(found.checkpoint)))
    except (ModelError, RouterError) as error:
        log.error("Photos are not recognised: %s", error)
        return photo
    known = KINDS[kind] if KINDS[kind] in models.cards() else None
    return replace(photo, kind=kind if known or kind == OTHER else OTHER, checkpoint=known or own)


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
