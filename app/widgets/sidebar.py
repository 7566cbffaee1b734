"""The inputs: the photo, its crop, the model, the true class.  The same on every page."""

from __future__ import annotations

from typing import Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from lafe.checkpoints.card import Card
from lafe.data.photo import WHOLE, Box, PhotoError, crop
from lafe.render.names import spelled
from lafe.render.pictures import jpeg_url

from ..state import models, session
from ..state.models import ModelError, cards, title
from ..state.session import MAX_PHOTOS, Photo
from .components import cropper
from .parts import plain


def sidebar() -> None:
    """The inputs, once there is a photo: photo and crop, the model, the true class."""
    photo = session.visit().photo
    if photo is None:
        return
    with st.sidebar:
        _photos(photo)
        _crop(photo)
        _model(photo)


def uploader(where: str) -> None:
    """A place to drop photos; it empties itself, since the visit keeps them.

    Any file may come: its bytes tell whether it is a photo, and a refusal says what to do.
    """
    key = _fresh(f"upload-{where}")
    st.file_uploader(
        "Drop photos here (JPEG, PNG or WebP), or paste one",
        accept_multiple_files=True,
        key=key,
        on_change=_take,
        args=(f"upload-{where}", key),
        label_visibility="visible" if where == "first" else "collapsed",
    )


def camera(where: str, kind: Literal["secondary", "tertiary"] = "secondary") -> None:
    """A photo from the camera, which is asked for only when the visitor opens this."""
    drawer = st.popover("Camera", icon=":material/photo_camera:", on_change="rerun", type=kind)
    with drawer:
        if drawer.open:
            key = _fresh(f"camera-{where}")
            st.camera_input(
                "Take a photo",
                key=key,
                on_change=_take,
                args=(f"camera-{where}", key),
                label_visibility="collapsed",
            )


def _fresh(name: str) -> str:
    """A widget's key that changes when its files were taken, which empties the widget."""
    return f"{name}-{st.session_state.setdefault(f'round-{name}', 0)}"


def _take(name: str, key: str) -> None:
    """Callback: put uploaded files into the visit, and say which ones cannot be used.

    ``key`` is the widget's own: a slow browser may tell of a widget again that was emptied already.
    """
    given = st.session_state.get(key)
    files = given if isinstance(given, list) else [given] if given is not None else []
    for file in files:
        if isinstance(file, DeletedFile):  # it went to a server that is gone
            session.notify("A photo did not arrive: upload it again.")
            continue
        problem = session.add_photo(file.getvalue(), file.name)
        if problem is not None:
            session.notify(f"**{plain(file.name)}**: {plain(problem)}")
    if key == _fresh(name):
        st.session_state[f"round-{name}"] += 1


def _photos(photo: Photo) -> None:
    visit = session.visit()
    st.subheader("Photo", anchor=False)
    if len(visit.photos) > 1:
        _strip(visit.photos, photo)
    with st.container(horizontal=True, gap="xsmall"):
        with st.popover("Add", icon=":material/add_photo_alternate:", type="tertiary"):
            uploader("more")
            st.caption(f"Up to {MAX_PHOTOS} photos. They stay in memory and go when you leave.")
        camera("more", "tertiary")
        st.button(
            "Remove",
            icon=":material/delete:",
            type="tertiary",
            on_click=lambda: session.keep(session.visit().without_photo(photo.digest)),
        )


def _strip(photos: tuple[Photo, ...], current: Photo) -> None:
    """Thumbnails to choose from: buttons with a picture on them."""
    rules = [
        f".st-key-thumb-{p.digest[:16]} button {{background-image: url({jpeg_url(p.image, 120)})}}"
        for p in photos
    ]
    st.html(f"<style>{' '.join(rules)}</style>")
    with st.container(horizontal=True, gap="xsmall", key="strip"):
        for place, photo in enumerate(photos, 1):
            shown = photo.digest == current.digest
            st.button(
                f"Photo {place}{', shown' if shown else ''}",
                key=f"thumb-{photo.digest[:16]}",
                help=plain(photo.name) or None,
                type="primary" if shown else "secondary",
                on_click=session.change,
                kwargs={"current": photo.digest},
            )


def _crop(photo: Photo) -> None:
    cropper(photo, _set_crop)
    if photo.crop == WHOLE:
        st.button(
            "Crop to the object",
            key="to-object",
            icon=":material/crop:",
            type="tertiary",
            on_click=_to_object,
        )
    with st.expander("Crop by numbers"):
        _edges("Left and right edge", photo, 0, 2)
        _edges("Top and bottom edge", photo, 1, 3)


def _edges(label: str, photo: Photo, first: int, second: int) -> None:
    key = f"crop-{first}"
    st.session_state[key] = (round(100 * photo.crop[first]), round(100 * photo.crop[second]))

    def moved() -> None:
        box = list(photo.crop)
        box[first], box[second] = (percent / 100 for percent in st.session_state[key])
        _set_crop((box[0], box[1], box[2], box[3]))

    st.slider(label, 0, 100, key=key, on_change=moved, format="%d %%")


def _to_object() -> None:
    """Callback: crop the current photo to its object, as far as there is one."""
    visit = session.visit()
    if visit.photo is None:
        return
    try:
        found = models.proposal(visit.photo, models.model(visit.model or ""))
    except ModelError as error:
        session.notify(plain(str(error)))
        return
    if found is None:
        session.notify("What this photo shows fills it: there is nothing to crop.")
    else:
        _set_crop(found.box)


def _set_crop(box: Box) -> None:
    """Callback: crop the current photo, unless too little of it would be left."""
    photo = session.visit().photo
    if photo is None:
        return
    try:
        crop(photo.image, box)
    except PhotoError as error:
        session.notify(plain(str(error)))
    else:
        session.keep(session.visit().with_crop(box))


def _model(photo: Photo) -> None:
    st.subheader("Model", anchor=False)
    known = cards()
    if not known:
        st.info("No model is installed here yet.")
        return
    visit = session.visit()
    st.session_state["checkpoint"] = visit.model
    st.pills(
        "Model",
        list(known),
        format_func=lambda name: plain(title(name)),
        required=True,
        key="checkpoint",
        on_change=lambda: session.keep(session.visit().with_model(st.session_state["checkpoint"])),
        label_visibility="collapsed",
    )
    card = known[visit.model or ""]
    with st.popover(f"{len(card.classes)} classes", icon=":material/search:", width="stretch"):
        _classes(card)
    if test := card.figures.get("test"):
        st.caption(
            f"{test['top1']:.1%} right on {test['photos']:,} test photos.",
            help="\n".join(f"- {plain(limit)}" for limit in card.limits) or None,
        )
    _truth(photo, card)


def _classes(card: Card) -> None:
    """The classes that a model knows, searchable."""
    wanted = st.text_input("Search the classes", key="class-search").casefold()
    names = [name for name in sorted(map(spelled, card.classes)) if wanted in name.casefold()]
    with st.container(height=320, border=False):
        st.markdown("  \n".join(map(plain, names)) or "No class of this name.")


def _truth(photo: Photo, card: Card) -> None:
    st.session_state["truth"] = photo.truth if photo.truth in card.classes else None
    st.selectbox(
        "True class, if you know it",
        sorted(card.classes),
        index=None,
        format_func=spelled,
        key="truth",
        placeholder="Search",
        on_change=lambda: session.keep(session.visit().with_truth(st.session_state["truth"])),
        help="The panels then show its rank and probability.",
    )
