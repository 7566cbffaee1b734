"""The browser's side of a visit: Back, a picture that is pasted, the focus after an upload."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl

import streamlit as st

from ..state import address, session
from ..state.models import cards
from .components import component
from .parts import plain

_KEY = "browser"


def browser() -> None:
    """Listen to the browser; call it outside of fragments, on every page."""
    photo = session.visit().photo
    component("browser")(
        key=_KEY,
        data={"focus": photo and photo.digest},
        on_back_change=_back,
        on_pasted_change=_pasted,
    )


def copy_link() -> None:
    """Offer the address."""
    component("copy")(key="copy")


def _back() -> None:
    """Callback: take the settings of an address that the visitor went back to."""
    query = st.session_state[_KEY].get("back")
    if query is not None:
        params = dict(parse_qsl(query.removeprefix("?")))
        address.go_back(params, {name: card.classes for name, card in cards().items()})


def _pasted() -> None:
    """Callback: a picture from the clipboard is a photo as any other."""
    given = st.session_state[_KEY].get("pasted")
    if given is None:
        return
    try:
        data = base64.b64decode(given["url"].partition(",")[2], validate=True)
    except (binascii.Error, KeyError, AttributeError):
        data = b""
    problem = session.add_photo(data, "pasted picture")
    if problem is not None:
        session.notify(f"The pasted picture: {plain(problem)}")
