"""A checkpoint's card, as a reader wants it."""

from __future__ import annotations

import streamlit as st

from lafe.branches import Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.measure.report import hours_of

from ..state.models import title
from .parts import plain


def model_card(name: str, card: Card) -> None:
    """A checkpoint's card: data, measured accuracy, limits."""
    st.subheader(f"The model “{plain(title(name))}”", anchor=False)
    st.markdown("\n".join(f"- **{key}**: {plain(value)}" for key, value in _facts(card).items()))
    if card.limits:
        st.markdown("**Limits**")
        st.markdown("\n".join(f"- {plain(limit)}" for limit in card.limits))


def verdict(card: Card) -> None:
    """The verdict of ``lafe evaluate``: are the maps of the branches about the photo?"""
    if card.verdict:
        st.markdown(f"**{plain(card.verdict)}**")


def doubts(model: Trained, switches: Switches) -> str:
    """Doubts about a setting's answer; empty if there are none."""
    found = []
    if model.card.drew(switches.index) is False:
        found.append("Training never drew this setting: nothing taught the model to answer in it.")
    if model.temperatures is None:
        found.append("Probabilities are not calibrated: run `lafe evaluate` on this model.")
    return "  ".join(found)


def _facts(card: Card) -> dict[str, str]:
    recipe, training = card.recipe, card.training
    facts = {
        "Classes": f"{len(card.classes)}",
        "Backbone": card.backbone,
        "Input": f"{card.input_size} \N{MULTIPLICATION SIGN} {card.input_size} px",
        "Training data": str(card.data.get("licence") or card.data.get("name", "")),
        "Training": f"{recipe['epochs']} epochs, objective “{recipe['objective']}”, "
        f"seed {recipe['seed']}"
        if {"epochs", "objective", "seed"} <= recipe.keys()
        else "",
        "Photos trained on": f"{training['photos']:,}" if "photos" in training else "",
        "Hours of training": f"{hours_of(training):.2f}" if "hours" in training else "",
        "Trained": card.date,
        "Licence": card.licence,
        "Weights": f"sha256 {card.sha256[:16]}…",
    }
    return {key: value for key, value in facts.items() if value}
