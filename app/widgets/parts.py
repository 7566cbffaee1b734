"""Pieces that the pages share: the error boundary, charts, plain text."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from typing import Any, ParamSpec

import plotly.graph_objects as go
import streamlit as st

from lafe.data.photo import PhotoError
from lafe.render.labels import LETTERS

from ..state import session
from ..state.models import ModelError

P = ParamSpec("P")

log = logging.getLogger(__name__)


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """The error boundary: a visitor sees one sentence and can go on, the log gets the rest."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except (PhotoError, ModelError) as error:
            st.warning(plain(str(error)))
        except Exception:
            log.exception("The app failed to draw a part of a page")
            st.error(
                "Something went wrong here, and it was logged. Your photos and settings are still "
                "there: change something, or reload the page."
            )

    return inside


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: names of files and classes are no markup."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$:<>~&])", r"\\\1", text)


def show_notices() -> None:
    """The error of the last thing that the visitor did."""
    for text in session.take_notices():
        st.warning(text)


def two_columns() -> Any:
    """A grid of two columns; of one, where the window is narrow."""
    return st.grid(2, min_column_width=380, gap="large")


def badge(place: int) -> str:
    """HTML of a panel's letter."""
    return f'<span class="letter">{LETTERS[place]}</span>'


def chart(figure: go.Figure, alt: str, key: str, *, fixed: bool = False, **options: Any) -> Any:
    """A Plotly figure in our own colours, with words for those who cannot see it.

    ``fixed``: nothing happens under the mouse.  ``options``: of ``st.plotly_chart``.
    """
    config = {"staticPlot": True} if fixed else {"displayModeBar": False}
    return st.plotly_chart(figure, theme=None, config=config, alt=alt, key=key, **options)
