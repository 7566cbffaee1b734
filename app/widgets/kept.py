"""Widgets of one page whose choices outlive it: they are part of the visit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st

from ..state import session


def kept(
    widget: Callable[..., Any],
    label: str,
    options: Collection[Any],
    *,
    key: str,
    usual: Any,
    choice_of: str | None = None,
    **more: Any,
) -> Any:
    """Draw a widget that shows what was chosen in it, on whichever visit to its page.

    Args:
        widget: of Streamlit, with options: ``st.selectbox``, ``st.multiselect``, ...
        key: of the widget, and of its choice.  A key belongs to one page: Streamlit takes a widget
            of another page for a new one, and what was set under its key for the old one's.
        choice_of: key of the choice, where widgets of several pages make the same one.
        usual: what it shows before anything was chosen, or where that is no option any more.

    Returns:
        What the widget does.
    """

    name = choice_of or key

    def chosen() -> None:
        session.keep(session.visit().with_choice(name, st.session_state[key]))

    choice = session.visit().choices.get(name, usual)
    if not all(each in options for each in (choice if isinstance(choice, list) else [choice])):
        choice = usual
    # What is set here goes to the browser, and would undo a next click that is on its way.
    if key not in st.session_state or st.session_state[key] != choice:
        st.session_state[key] = choice
    return widget(label, options, key=key, on_change=chosen, **more)
