"""The first screen: what this is, a place for a photo, and something to try at once."""

from __future__ import annotations

import streamlit as st

from lafe.render.pictures import jpeg_url

from .. import navigation
from ..state import session
from ..state.examples import SIDE, Example, examples
from ..state.models import cards, title
from .parts import guarded, plain
from .sidebar import camera, uploader


@guarded
def first_screen() -> None:
    """One sentence, a large drop area, the camera, and tiles."""
    st.title(
        "What did the model look at, and what if it hadn\N{RIGHT SINGLE QUOTATION MARK}t?",
        anchor=False,
    )
    begin(
        "Give it a bird, a car or an aircraft: LAFE names it, shows what spoke for the name, and "
        "what it would say without some of its attention."
    )
    _measured()


def _measured() -> None:
    """Say what the method is meant to do, then what was measured of each model."""
    found = {name: card.verdict for name, card in cards().items() if card.verdict}
    if not found:
        return
    st.subheader("Does its attention do what it is meant to?", anchor=False)
    verdicts = "\n".join(
        f"- **{plain(title(name))}**: {plain(verdict)}" for name, verdict in found.items()
    )
    st.markdown(
        "It is meant to add what tells classes apart, and to take away what they share. Measured "
        f"on test photos, with another photo\N{RIGHT SINGLE QUOTATION MARK}s attention in place of "
        f"their own:\n{verdicts}"
    )
    st.page_link(
        navigation.to("report"),
        label="All that was measured",
        icon=navigation.PAGES["report"].icon,
    )


def begin(words: str) -> None:
    """A page without a photo: what it is for, a place for photos, and examples to see it with."""
    st.markdown(words)
    if not cards():
        st.info("No model is installed here yet.")
    with st.container(key="first-upload", gap="xsmall"):
        uploader("first")
        camera("first")
    _tiles()


def _tiles() -> None:
    """Examples: a click is a whole result.  They are buttons, a picture above a name."""
    shown = examples()
    st.subheader("Or try one of these", anchor=False)
    urls = [jpeg_url(each.small, SIDE) for each in shown]
    rules = [
        f".st-key-example-{i} button::before {{background-image: url({url})}}"
        for i, url in enumerate(urls)
    ]
    st.html(f"<style>{' '.join(rules)}</style>")
    with st.container(key="examples"):
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
