"""Two classes: why the one, and not the other; chosen once for all pages that ask."""

from __future__ import annotations

import streamlit as st

from lafe.branches import Switches
from lafe.render.names import spelled
from lafe.render.text import percent

from ..state import models
from ..state.session import Photo
from .kept import kept


def asked(photo: Photo, checkpoint: str, page: str) -> tuple[int, int] | None:
    """The labels that were chosen, at first the two likeliest; None where they are one.

    ``page``: that asks, by its name in ``navigation``.
    """
    prepared = models.prepared(photo, models.model(checkpoint))
    names = [spelled(name) for name in prepared.card.classes]
    probabilities = prepared.probabilities(Switches.all())
    order = probabilities.argsort(descending=True).tolist()

    def shown(i: int) -> str:
        return f"{names[i]} ({percent(float(probabilities[i]))})"

    def choice(label: str, place: int) -> int:
        name = f"{'ab'[place]}-{photo.digest[:8]}-{checkpoint}"
        found = kept(
            st.selectbox,
            label,
            order,
            usual=order[min(place, len(order) - 1)],
            format_func=shown,
            key=f"{page}-{name}",
            choice_of=name,
            width=330,
        )
        return int(found)

    with st.container(horizontal=True):
        a, b = choice("Why", 0), choice("rather than", 1)
    if a == b:
        st.info("Choose two classes.")
        return None
    return a, b
