"""A checkpoint's card, as a reader wants it."""

from __future__ import annotations

import streamlit as st

from lafe.checkpoints.card import Card

from ..state.models import title
from .parts import plain


def model_card(name: str, card: Card) -> None:
    """What a checkpoint says of itself."""
    st.subheader(f"The model “{plain(title(name, card))}”", anchor=False)
    st.markdown("\n".join(f"- **{key}**: {plain(value)}" for key, value in _facts(card).items()))
    if card.limits:
        st.markdown("**Limits**")
        st.markdown("\n".join(f"- {plain(limit)}" for limit in card.limits))


def _facts(card: Card) -> dict[str, str]:
    recipe = card.recipe
    facts = {
        "Classes": f"{len(card.classes)}",
        "Backbone": card.backbone,
        "Input": f"{card.input_size} \N{MULTIPLICATION SIGN} {card.input_size} px",
        "Training data": str(card.data.get("licence") or card.data.get("name", "")),
        "Training": f"{recipe['epochs']} epochs, objective “{recipe['objective']}”, "
        f"seed {recipe['seed']}"
        if {"epochs", "objective", "seed"} <= recipe.keys()
        else "",
        "Trained": card.date,
        "Licence": card.licence,
        "Weights": f"sha256 {card.sha256[:16]}…",
    }
    return {key: value for key, value in facts.items() if value}
