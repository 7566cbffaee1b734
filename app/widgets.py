"""Pieces that the pages share: the error boundary, the switchboard, legends, plain text."""

from __future__ import annotations

import base64
import functools
import logging
import re
from collections.abc import Callable
from html import escape
from io import BytesIO
from typing import Any, ParamSpec

import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from app import session
from app.maps import KINDS, Scale
from app.models import ModelError
from app.session import LETTERS, Panel
from lafe.branches import ATTRIBUTES, BRANCHES, PRESETS, STAGES, Switches
from lafe.data.photo import PhotoError
from lafe.render.overlay import RGB, colour_bar
from lafe.render.text import number

P = ParamSpec("P")

log = logging.getLogger(__name__)

SIDES = {
    "dis": ("Discriminative", "+", "What sets a class apart. Its features D are added."),
    "con": (
        "Confusable",
        "\N{MINUS SIGN}",
        "What a class shares with its look-alikes. Its features C are subtracted.",
    ),
}


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
    """What went wrong with the last thing that the visitor did."""
    for text in session.take_notices():
        st.warning(text)


def png_url(pixels: RGB) -> str:
    """Pixels as an address that can be put into a page."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def legend(scale: Scale, note: str = "") -> str:
    """HTML of a colour bar with the values at its ends, and at zero where it is signed."""
    low, high = scale.range
    middle = "<span>0</span>" if scale.signed else ""
    return (
        '<div class="legend">'
        f'<img alt="Colours from {low:.3g} to {high:.3g}" '
        f'src="{png_url(colour_bar(scale.range, signed=scale.signed))}">'
        f'<div class="ends"><span>{number(low)}</span>{middle}<span>{number(high)}</span></div>'
        f'<div class="note">{escape(note)}</div></div>'
    )


def switchboard(place: int, panel: Panel) -> None:
    """The twelve switches of one panel: two sides, two kinds of attention, three stages."""
    board = st.grid(2, min_column_width=215, gap=("xxsmall", "small"), key=f"board-{place}")
    for side, branches in ATTRIBUTES.items():
        name, sign, meaning = SIDES[side]
        with board.cell(), st.container(key=f"side-{place}-{side}", gap="xxsmall"):
            st.html(
                f'<div class="side {side}" title="{meaning}"><b>{sign}</b> {name}</div>',
            )
            for branch in branches:
                _switches_of(place, panel, side, branch)


def _switches_of(place: int, panel: Panel, side: str, branch: str) -> None:
    key, on = _row(place, branch), _on(panel, branch)
    # What is set here goes to the browser, and would undo a next click that is on its way.
    if sorted(st.session_state.get(key, ())) != on:  # the browser gives them as they were clicked
        st.session_state[key] = on

    def switch() -> None:
        switches = session.visit().panels[place].switches
        for stage in STAGES:
            if switches[stage, branch] != (stage in st.session_state[key]):
                switches = switches.toggled(stage, branch)
        set_switches(place, switches)

    st.segmented_control(
        f"Panel {LETTERS[place]}: {KINDS[branch[0]]} attention, {SIDES[side][0].lower()}",
        STAGES,
        selection_mode="multi",
        format_func=lambda stage: f"Stage {stage}",
        key=key,
        on_change=switch,
        label_visibility="collapsed",  # style.css shows the kind
        width="stretch",
    )


def _row(place: int, branch: str) -> str:
    """The key of a branch's three switches."""
    return f"switch-{place}-{branch}"


def _on(panel: Panel, branch: str) -> list[int]:
    """The stages at which a branch is on."""
    return [stage for stage in STAGES if panel.switches[stage, branch]]


def setting_name(switches: Switches) -> str:
    """A preset's name, or what is on or, if that is shorter, off."""
    for name, preset in PRESETS.items():
        if preset == switches:
            return name.capitalize()
    off = Switches.all()
    for stage, branch in switches:
        off = off.toggled(stage, branch)
    return str(switches) if len(switches) <= len(off) else f"All but {off}"


def preset_picker(place: int, panel: Panel) -> None:
    """Presets, and the setting itself where it is none of them."""
    key = f"preset-{place}"
    options = list(dict.fromkeys([*PRESETS.values(), panel.switches]))
    st.session_state[key] = panel.switches

    def pick() -> None:
        # A quick click on a switch brings what stood here before the last one: that is no choice.
        rows = {branch: st.session_state[_row(place, branch)] for branch in BRANCHES}
        if all(sorted(on) == _on(panel, branch) for branch, on in rows.items()):
            set_switches(place, st.session_state[key])

    st.selectbox(
        f"Setting of panel {LETTERS[place]}",
        options,
        format_func=setting_name,
        key=key,
        on_change=pick,
        label_visibility="collapsed",
        filter_mode=None,
    )


def two_columns() -> Any:
    """A grid of two columns; of one, where the window is narrow."""
    return st.grid(2, min_column_width=380, gap="large")


def set_switches(place: int, switches: Switches) -> None:
    """Callback: one panel's setting."""
    session.keep(session.visit().with_panel(place, switches=switches))


def badge(place: int) -> str:
    """HTML of a panel's letter."""
    return f'<span class="letter">{LETTERS[place]}</span>'


def chart(figure: go.Figure, alt: str, key: str, *, fixed: bool = False, **options: Any) -> Any:
    """A Plotly figure in our own colours, with words for those who cannot see it.

    ``fixed``: nothing happens under the mouse.  ``options``: of ``st.plotly_chart``.
    """
    config = {"staticPlot": True} if fixed else {"displayModeBar": False}
    return st.plotly_chart(figure, theme=None, config=config, alt=alt, key=key, **options)
