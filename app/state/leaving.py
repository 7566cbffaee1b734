"""Results for a visitor's photos, forgotten when the visitor leaves.

They are kept for all visitors together, since their bound is one of the server; this knows who
still needs what.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import streamlit as st

Forget = Callable[[], None]

_LOCK = threading.Lock()


class Guest:
    """One session, and how to forget what was computed for it, by the key of each."""

    def __init__(self) -> None:
        self.needs: dict[Hashable, Forget] = {}


_PRESENT: set[Guest] = set()


def needs(key: Hashable, forget: Forget) -> None:
    """Note that this session's visitor needs something; ``forget`` is called when nobody does."""
    guest = _guest()
    with _LOCK:
        guest.needs[key] = forget


def _leave(guest: Guest) -> None:
    with _LOCK:
        _PRESENT.discard(guest)
        needed = {key for other in _PRESENT for key in other.needs}
        alone = [forget for key, forget in guest.needs.items() if key not in needed]
    for forget in alone:
        forget()


# Streamlit clears what is a session's own as soon as its window is closed or cannot be reached.
@st.cache_resource(scope="session", on_release=_leave, show_spinner=False)
def _guest() -> Guest:
    guest = Guest()
    with _LOCK:
        _PRESENT.add(guest)
    return guest
