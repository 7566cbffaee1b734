"""The first screen: what this is, a place for a photo, and something to try at once."""

from __future__ import annotations

import streamlit as st

from lafe.render.pictures import jpeg_url

from ..state import session
from ..state.examples import SIDE, Example, examples
from ..state.models import cards
from .parts import guarded, plain
from .sidebar import camera, uploader


@guarded
def first_screen() -> None:
    """One sentence, a large drop area, the camera, and tiles."""
    st.title("What did the model look at, and what if it hadn\N{RIGHT SINGLE QUOTATION MARK}t?")
    st.markdown(
        "Give it a bird, a car or an aircraft: LAFE names it, shows what spoke for the name, and "
        "what it would say without some of its attention."
    )
    if not cards():
        st.info("No model is installed here yet.")
    with st.container(key="first-upload", gap="xsmall"):
        uploader("first")
        camera("first")
    _tiles()


def _tiles() -> None:
    """Examples: a click is a whole result.  They are buttons with a picture on them."""
    shown = examples()
    st.subheader("Or try one of these", anchor=False)
    rules = [
        f".st-key-example-{i} button {{background-image: url({jpeg_url(each.small, SIDE)})}}"
        for i, each in enumerate(shown)
    ]
    st.html(f"<style>{' '.join(rules)}</style>")
    with st.container(horizontal=True, gap="small", key="examples"):
        for i, each in enumerate(shown):
            st.button(
                each.name,
                key=f"example-{i}",
                help=plain(each.licence),
                on_click=_try,
                args=(each,),
            )


def _try(example: Example) -> None:
    """Take an example as an upload is taken."""
    problem = session.add_photo(example.data(), example.name)
    if problem is not None:
        session.notify(plain(problem))
