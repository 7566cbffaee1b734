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
    **more: Any,
) -> Any:
    """Draw a widget that shows what was chosen in it, on whichever visit to its page.

    Args:
        widget: of Streamlit, with options: ``st.selectbox``, ``st.multiselect``, ...
        key: of the widget, and of its choice.
        usual: what it shows before anything was chosen, or where that is no option any more.

    Returns:
        What the widget does.
    """

    def chosen() -> None:
        session.keep(session.visit().with_choice(key, st.session_state[key]))

    choice = session.visit().choices.get(key, usual)
    if not all(each in options for each in (choice if isinstance(choice, list) else [choice])):
        choice = usual
    # What is set here goes to the browser, and would undo a next click that is on its way.
    if key not in st.session_state or st.session_state[key] != choice:
        st.session_state[key] = choice
    return widget(label, options, key=key, on_change=chosen, **more)
