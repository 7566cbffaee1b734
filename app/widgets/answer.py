"""The answer: its name first, then the runner-up, then one sentence of why."""

from __future__ import annotations

from html import escape

import streamlit as st

from lafe.checkpoints.card import Card
from lafe.data.photo import WHOLE
from lafe.explain.answer import Answer
from lafe.explain.router import OTHER
from lafe.render import sentences
from lafe.render.names import spelled
from lafe.render.pictures import jpeg_url
from lafe.render.text import percent

from ..state import gallery, models, session
from ..state.looks import FULL_PANEL, answered, surer
from ..state.models import cards, title
from ..state.session import Panel, Photo
from .parts import guarded, plain


def answer(photo: Photo, panel: Panel, checkpoint: str, *, raw: bool = False) -> None:
    """The first thing on the page Compare, in a container of this name; raises ModelError."""
    found, card = answered(photo, panel, checkpoint, raw=raw), cards()[checkpoint]
    with st.container(key="answer", gap="xsmall"):
        st.html(_cards(found, card, checkpoint))
        why = _why(found, card, checkpoint)
        if found.familiar and not raw and (level := surer(photo, panel, checkpoint)):
            why = f"{why} {sentences.surely(level)}"
        st.html(f'<p class="why">{escape(why)}</p>')
        _recognised(photo, checkpoint, familiar=found.familiar)


def headline(photo: Photo) -> None:
    """The answer in one line, for the other pages: what their model says under the full setting."""
    checkpoint = session.visit().model or ""
    found, card = answered(photo, FULL_PANEL, checkpoint), cards()[checkpoint]
    words = escape(sentences.headline(found, card.classes))
    unlike = "" if found.familiar else " unlike"
    share = percent(found.probability)
    picture = f'<img src="{jpeg_url(photo.image, 88)}" alt="Your photo">'
    st.html(
        f'<p class="headline{unlike}" tabindex="-1" id="the-answer">{picture}'
        f"<span><b>{words}</b> {share}</span></p>"
    )


def headline_if_any() -> None:
    """The same on pages that need no photo."""
    photo = session.visit().photo
    if photo is not None:
        guarded(headline)(photo)


def _cards(found: Answer, card: Card, checkpoint: str) -> str:
    """HTML: the likeliest class as the page's heading, and the runner-up beside it."""
    words = escape(sentences.headline(found, card.classes))
    unlike = "" if found.familiar else " unlike"
    parts = [
        f'<div class="card first{unlike}"><h1 tabindex="-1" id="the-answer">{words}</h1>'
        f'<span class="share">{percent(found.probability)}</span></div>'
    ]
    if found.next_label is not None and found.next_probability is not None:
        other = spelled(card.classes[found.next_label])
        picture = gallery.reference(checkpoint, found.next_label)
        shown = (
            f'<img src="{jpeg_url(picture, 160)}" alt="A picture of {escape(other)}">'
            if picture
            else ""
        )
        parts.append(
            f'<div class="card second">{shown}<div><small>Runner-up</small>'
            f"<b>{escape(other)}</b> <span>{percent(found.next_probability)}</span></div></div>"
        )
    return f'<div class="cards">{"".join(parts)}</div>'


def _why(found: Answer, card: Card, checkpoint: str) -> str:
    """One sentence from the numbers; of a photo that looks like nothing known, what to do."""
    if found.familiar:
        return sentences.why(found, card.classes)
    return (
        f"This photo does not look like any of the {len(card.classes)} classes of the model "
        f"{title(checkpoint)}: take what it says as a guess, or crop closer."
    )


def _recognised(photo: Photo, checkpoint: str, *, familiar: bool) -> None:
    """Say what kind of photo this was taken for; offer the other models, and a crop."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="recognised"):
        name = plain(title(checkpoint))
        if photo.kind and familiar:
            article = "an" if photo.kind[0] in "aeiou" else "a"
            words = f"Recognised as {article} {plain(photo.kind)}."
        else:
            words = f"Model {name}."
        st.markdown(words, width="content")
        with st.popover("Change", type="tertiary"):
            for other in cards():
                if other != checkpoint and st.button(
                    plain(title(other)), key=f"use-{other}", width="stretch"
                ):
                    session.keep(session.visit().with_model(other))
                    st.rerun()  # the sidebar, too
        _crop(photo, checkpoint, familiar=familiar)


def _crop(photo: Photo, checkpoint: str, *, familiar: bool) -> None:
    """Offer a crop to the object where the photo looks like nothing known, and the way back."""
    if photo.crop != WHOLE:
        words, box = "Whole photo", WHOLE
    elif familiar:
        return
    else:
        found = models.proposal(photo, models.model(checkpoint))
        # A model that knows nothing of this kind cannot tell which part looks more like it.
        if found is None or not (found.closer or photo.kind == OTHER):
            return
        words, box = "Crop to it", found.box
    if st.button(words, type="tertiary", icon=":material/crop:", key="propose-crop"):
        session.keep(session.visit().with_crop(box))
        st.rerun()  # the sidebar, too
