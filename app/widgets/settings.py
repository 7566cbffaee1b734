"""The settings of the panels: a preset and a model each; the twelve switches fold open."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from lafe.branches import BRANCHES, STAGES, Switches
from lafe.render.labels import LETTERS

from ..state import models, session
from ..state.models import ModelError, cards, title
from ..state.session import MAX_PANELS, Panel, Visit
from .controls import controls_board
from .parts import badge
from .switchboard import preset_picker, set_switches, switchboard


def settings(visit: Visit) -> None:
    """One box a panel; B and those after it can be removed, and added up to four."""
    st.subheader("Settings", anchor=False)
    count = len(visit.panels)
    with st.container(key="settings"):
        grid = st.grid(count if count < MAX_PANELS else 2, min_column_width=330, border=True)
    for place, panel in enumerate(visit.panels):
        with grid.cell():
            _header(place, panel, visit.checkpoint_of(panel))
            folded = st.expander("The twelve switches", on_change="rerun", key=f"switches-{place}")
            with folded:
                if folded.open:
                    switchboard(place, panel)
                    _all(place)
            with suppress(ModelError):  # the panel says why
                controls_board(place, panel, models.model(visit.checkpoint_of(panel)))
    if rules := _outlines(visit):
        st.html(f"<style>{' '.join(rules)}</style>")
    if count < MAX_PANELS:
        st.button("Add a panel", icon=":material/add:", on_click=_add)


def _header(place: int, panel: Panel, checkpoint: str) -> None:
    head = st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key=f"head-{place}"
    )
    with head:
        st.html(badge(place), width="content")
        preset_picker(place, panel)
        _model_picker(place, checkpoint)
        if place:
            st.button(
                f"Remove panel {LETTERS[place]}",
                key=f"remove-{place}",
                icon=":material/close:",
                type="tertiary",
                on_click=_remove,
                args=(place,),
            )


def _all(place: int) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for label, switches in (("All on", Switches.all()), ("All off", Switches.none())):
            st.button(
                label,
                key=f"{label}-{place}",
                type="tertiary",
                on_click=set_switches,
                args=(place, switches),
            )


def _model_picker(place: int, checkpoint: str) -> None:
    known = cards()
    key = f"model-{place}"
    st.session_state[key] = checkpoint

    def pick() -> None:
        own = st.session_state[key]
        visit = session.visit()
        session.keep(visit.with_panel(place, checkpoint=None if own == visit.model else own))

    st.selectbox(
        f"Model of panel {LETTERS[place]}",
        list(dict.fromkeys([*known, checkpoint])),
        format_func=lambda name: title(name) if name in known else name,
        key=key,
        on_change=pick,
        label_visibility="collapsed",
        width=130,
    )


def _outlines(visit: Visit) -> list[str]:
    """CSS: a line around each switch that differs from A's."""
    first = visit.panels[0].switches
    return [
        f".st-key-switch-{place}-{branch} button:nth-of-type({nth})"
        "{outline: 2px dashed var(--ink); outline-offset: -4px}"
        for place, panel in enumerate(visit.panels)
        for branch in BRANCHES
        for nth, stage in enumerate(STAGES, 1)
        if panel.switches[stage, branch] != first[stage, branch]
    ]


def _add() -> None:
    panels = session.visit().panels
    session.change(panels=(*panels, panels[-1]))


def _remove(place: int) -> None:
    panels = session.visit().panels
    session.change(panels=panels[:place] + panels[place + 1 :])
