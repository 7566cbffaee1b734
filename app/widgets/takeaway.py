"""Results to take away, made when they are asked for."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lafe.render import bundle
from lafe.render.comparison import compare
from lafe.render.printout import printout

from ..state import models, session
from ..state.models import ModelError
from .browser import copy_link


def takeaway() -> None:
    """Buttons: the panels' comparison as an archive, and as a page to print.

    A click computes it, from the photo and the models alone: what a session holds is not at hand
    then.
    """
    visit = session.visit()
    if visit.photo is None:
        return
    try:
        choices = [models.choice(visit.photo, p, visit.checkpoint_of(p)) for p in visit.panels]
    except ModelError:
        return  # the panel says why
    comparison = partial(compare, visit.photo.image, choices, visit.photo.crop)
    opacity = visit.display.opacity
    with st.container(horizontal=True):
        st.download_button(
            "Download this comparison",
            lambda: bundle.archive(comparison(), opacity),
            "comparison.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="download-comparison",
            help="Figure for a paper (PNG, PDF), numbers, raw maps, settings and the photo's crop.",
        )
        st.download_button(
            "Report to print",
            lambda: printout(comparison(), opacity, bundle.versions()),
            "report.html",
            "text/html",
            icon=":material/print:",
            on_click="ignore",
            key="download-report",
            help="One HTML file that opens without a network.",
        )
        copy_link()
