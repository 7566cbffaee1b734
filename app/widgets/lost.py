"""A server that was started anew knows nothing of the pages that are still open in browsers.

Their controls would go on to show what they showed, beside answers that no server stands for.
"""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from ..state import session

_HAD_PHOTOS = "had-photos"


def notice_lost_session() -> None:
    """Tell a visitor whose photos were forgotten; call it outside of fragments, in every run.

    The browser hands the values of all widgets to a new session.  One that nobody sees keeps
    whether there were photos; it speaks for an earlier session when this one has not set it yet.
    """
    is_new = "known" not in st.session_state
    st.session_state["known"] = True
    if not is_new:
        st.session_state[_HAD_PHOTOS] = bool(session.visit().photos)
    # A slow browser draws it before it knows the style sheet that hides it: so it is low, too.
    with st.container(key="nobody-sees", height=1, border=False):
        had_photos = st.checkbox("There are photos", key=_HAD_PHOTOS)
    if is_new and had_photos:
        session.notify("The server forgot your photo: upload it again.")


@st.fragment(run_every=timedelta(days=1))
def rerun_on_reconnection() -> None:
    """Have the whole page drawn anew when a lost connection is back.

    Streamlit's page asks for that of itself where something is to be run again later; else it would
    wait for a click, which a new server cannot answer for a part of a page that it never drew.
    """
