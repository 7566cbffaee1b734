"""The pages of the app, listed once, and links from one to another."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import streamlit as st
from streamlit.navigation.page import StreamlitPage


class Entry(NamedTuple):
    """A page in the menu."""

    title: str
    icon: str


PAGES = {
    "compare": Entry("Compare", ":material/compare:"),
    "stages": Entry("Stages", ":material/grid_view:"),
    "ablation": Entry("Ablation", ":material/toggle_off:"),
    "attribution": Entry("Attribution", ":material/flare:"),
    "lookalikes": Entry("Look-alikes", ":material/compare_arrows:"),
    "whatif": Entry("What if", ":material/ink_eraser:"),
    "studio": Entry("Studio", ":material/brush:"),
    "report": Entry("Report", ":material/monitoring:"),
    "about": Entry("About", ":material/info:"),
}
"""Pages by their module in ``pages``, which is their path in the address, too; the first is where
visitors arrive."""


def to(name: str) -> StreamlitPage:
    """A page, for the menu and for links; its module is imported when somebody opens it."""

    def draw() -> None:
        import_module(f".pages.{name}", __package__).page()

    title, icon = PAGES[name]
    return st.Page(draw, title=title, icon=icon, url_path=name, default=name == next(iter(PAGES)))
