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
from ..state.looks import FULL_PANEL, answered
from ..state.models import cards, title
from ..state.session import Panel, Photo
from .parts import plain


def answer(photo: Photo, panel: Panel, checkpoint: str, *, raw: bool = False) -> None:
    """The first thing on the page Compare, in a container of this name; raises ModelError."""
    found, card = answered(photo, panel, checkpoint, raw=raw), cards()[checkpoint]
    with st.container(key="answer", gap="xsmall"):
        st.html(_cards(found, card, checkpoint))
        if not found.familiar:
            st.html(f'<p class="why">{escape(_unlike(photo, checkpoint))}</p>')
        st.html(f'<p class="why">{escape(sentences.why(found, card.classes))}</p>')
        _recognised(photo, checkpoint)


def headline(photo: Photo) -> None:
    """The answer in one line, for the other pages: what their model says under the full setting."""
    checkpoint = session.visit().model or ""
    found, card = answered(photo, FULL_PANEL, checkpoint), cards()[checkpoint]
    words = escape(sentences.headline(found, card.classes))
    unlike = "" if found.familiar else " unlike"
    share = percent(found.probability)
    st.html(f'<p class="headline{unlike}"><b>{words}</b> {share}</p>')


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
            f'<img src="{jpeg_url(picture, 160)}" alt="A photo of {escape(other)}">'
            if picture
            else ""
        )
        parts.append(
            f'<div class="card second">{shown}<div><small>Runner-up</small>'
            f"<b>{escape(other)}</b> <span>{percent(found.next_probability)}</span></div></div>"
        )
    return f'<div class="cards">{"".join(parts)}</div>'


def _unlike(photo: Photo, checkpoint: str) -> str:
    known = cards()
    name, count = title(checkpoint, known[checkpoint]), len(known[checkpoint].classes)
    better = [
        title(other, known[other]) for other in models.who_knows(photo) if other != checkpoint
    ]
    advice = f"Choose {' or '.join(better)}, or crop closer." if better else "Crop closer, maybe."
    return (
        f"This photo does not look like any of the {count} classes of the model {name}: take what "
        f"it says as guesses. {advice}"
    )


def _recognised(photo: Photo, checkpoint: str) -> None:
    """Say what kind of photo this was taken for, and offer the other models."""
    known = cards()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="recognised"):
        name = plain(title(checkpoint, known[checkpoint]))
        if photo.kind and photo.kind != OTHER:
            article = "an" if photo.kind[0] in "aeiou" else "a"
            words = f"Recognised as {article} {plain(photo.kind)}."
        else:
            words = f"Model {name}."
        st.markdown(words, width="content")
        _crop(photo, checkpoint)
        with st.popover("Change", type="tertiary"):
            for other, card in known.items():
                if other != checkpoint and st.button(
                    plain(title(other, card)), key=f"use-{other}", width="stretch"
                ):
                    session.keep(session.visit().with_model(other))
                    st.rerun()  # the sidebar, too


def _crop(photo: Photo, checkpoint: str) -> None:
    """Offer a crop to the object, and the way back."""
    proposed = models.proposal(photo, models.model(checkpoint))
    if photo.crop != WHOLE:
        words, box = "Whole photo", WHOLE
    elif proposed is not None:
        words, box = "Crop to the object", proposed
    else:
        return
    if st.button(words, type="tertiary", icon=":material/crop:", key="propose-crop"):
        session.keep(session.visit().with_crop(box))
        st.rerun()  # the sidebar, too
