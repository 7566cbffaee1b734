"""The frame of all pages: the menu, the inputs at the side, the address."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from lafe.render import palette

from . import navigation
from .figures import style
from .state import address, routing, session
from .state.models import cards, load_in_background
from .widgets.browser import browser
from .widgets.lost import notice_lost_session, rerun_on_reconnection
from .widgets.parts import guarded, show_notices
from .widgets.sidebar import sidebar

_ASSETS = Path(__file__).parent / "assets"


@guarded
def main() -> None:
    """Draw the app for a visitor, as it stands now; Streamlit calls this after each click."""
    st.set_page_config(
        page_title="LAFE",
        page_icon=(_ASSETS / "icon.svg").read_text(),  # from here: Streamlit's own come from a CDN
        layout="wide",
        initial_sidebar_state="auto",  # closed where there is no room for it
    )
    st.logo((_ASSETS / "logo.svg").read_text(), size="large")
    own = (_ASSETS / "style.css").read_text()
    st.html(f"<style>{palette.css()} {style.css()} {own}</style>")
    page = st.navigation([navigation.to(name) for name in navigation.PAGES], position="top")
    _arrive()
    notice_lost_session()
    guarded(routing.recognise)()
    show_notices()
    guarded(sidebar)()  # each by itself: what is broken spoils nothing else
    guarded(page.run)()
    guarded(address.show)(session.visit())
    browser()
    load_in_background()
    rerun_on_reconnection()


def _arrive() -> None:
    """Take over the settings of the address, once; and a model that is there."""
    if "visit" not in st.session_state:
        known = {name: card.classes for name, card in cards().items()}
        visit, unread = address.read(st.query_params.to_dict(), known)
        session.keep(visit)
        if unread:
            session.notify(
                f"Part of this page's address could not be read ({', '.join(unread)}): "
                "the usual settings are shown instead."
            )
        elif address.holds_settings(st.query_params.to_dict()):
            session.notify(
                "An address holds settings, not the photo, and a reload forgets it: give the same "
                "photo again to see the same."
            )
    if session.visit().checkpoint not in cards():
        session.change(checkpoint=next(iter(cards()), None))
