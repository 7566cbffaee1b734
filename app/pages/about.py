"""The page "About": the chosen model's card, and how to read what the app shows."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from lafe.branches import Switches

from .. import navigation
from ..state import models, session
from ..state.models import cards
from ..widgets.answer import headline_if_any
from ..widgets.card import model_card
from ..widgets.components import live_diagram
from ..widgets.parts import plain, two_columns

WORDS = Path(__file__).parents[1] / "assets" / "words.md"
PAPER = "https://doi.org/10.1145/3394171.3413883"


def page() -> None:
    """Method and card."""
    _method()
    sides = two_columns()
    with sides.cell():
        _reading()
    with sides.cell():
        if left_out := models.broken():
            st.warning(f"Cannot be used, the log says why: {plain(', '.join(left_out))}.")
        chosen = session.visit().model
        if chosen is not None:
            model_card(chosen, cards()[chosen])
            st.page_link(
                navigation.to("report"),
                label="What was measured of it",
                icon=navigation.PAGES["report"].icon,
            )


def _method() -> None:
    """The model in five sentences, and its picture."""
    st.title("About", anchor=False)
    headline_if_any()
    st.markdown(
        f"LAFE was introduced by X. Shi et al. in [*Beyond the Attention: Distinguish the "
        f"Discriminative and Confusable Features for Fine-grained Image Classification*]({PAPER}) "
        "(ACM Multimedia 2020). At three stages of a backbone, region attention weighs places and "
        "channel attention weighs kinds of features. One pair of branches looks for what is "
        "discriminative (D), one for what is confusable (C). Both are fused over the stages, and "
        "the class is read from F₅ = f₅ + D \N{MINUS SIGN} C."
    )
    live_diagram(Switches.all(), None, key="about-diagram")


def _reading() -> None:
    """Instructions for reading the pictures: their meaning, and its limits."""
    st.subheader("How to read it", anchor=False)
    st.markdown(
        "- A branch that is off gives zero. All twelve off is the plain backbone with the same "
        "classifier.\n"
        "- Switching a branch off now is not the same as training without it: the rest of the "
        "model learned beside it.\n"
        "- A map is the mean over its channels, shown as it is: never squared, never rescaled but "
        "for the colours, whose range stands beside it. It shows where features are strong, not "
        "why a class was chosen.\n"
        "- Two panels with equal switches and models give the same numbers to the bit."
    )
    with st.expander("Words"):
        st.markdown(WORDS.read_text(encoding="utf-8"))
    st.subheader("Your photos", anchor=False)
    st.markdown(
        "They stay in the memory of the computer that runs this app, files as they came and what "
        "was computed from them, until you close this window. They are not written to disk or "
        "logged. What cameras write into photos (place, time, device) is dropped when a photo is "
        "opened: it is in nothing that you download. A download has an address that nobody can "
        "guess; whoever you give it to gets the file while you are here."
    )
