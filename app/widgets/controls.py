"""The controls of a panel: does *where* a branch looks matter, or only how much it adds?"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lafe.branches import KINDS, STAGES, Branch, Switches, branch_name
from lafe.render import labels
from lafe.render.labels import SIDES

from ..state import session
from ..state.session import MAX_SEED, Panel

MODES = ("learned", "uniform", "shuffled")


def controls_board(place: int, panel: Panel) -> None:
    """The controls in force, and a drawer: one choice for all branches that are on, and twelve."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        drawer = st.popover(
            "Controls",
            icon=":material/tune:",
            type="tertiary",
            on_change="rerun",
            key=f"controls-{place}",
        )
        if stand_ins := panel.controls.in_force(panel.switches):
            words = labels.stand_ins(stand_ins)
            st.html(f'<div class="controlled">Not as learned: {words}</div>')
    with drawer:
        if drawer.open:
            _board(place, panel)


def _board(place: int, panel: Panel) -> None:
    st.caption(
        "Does *where* a branch looks matter, or only how much it adds? **Uniform** replaces its "
        "gate by the gate's mean; **shuffled** puts the gate's values in random places."
    )
    key = f"control-{place}"
    modes = {panel.controls[branch] for branch in panel.switches}
    st.session_state[key] = modes.pop() if len(modes) == 1 else None
    st.segmented_control(
        "All branches that are on",
        MODES,
        format_func=str.capitalize,
        key=key,
        on_change=lambda: _set(place, panel.switches, st.session_state[key] or "learned"),
        disabled=not len(panel.switches),
    )
    with st.container(gap="xxsmall", key=f"modes-{place}"):
        for column, stage in zip(_row()[1:], STAGES, strict=True):
            column.caption(f"Stage {stage}")
        for side, words in SIDES.items():
            for kind in KINDS:
                name, *choices = _row()
                title = branch_name(kind, side)
                name.html(f'<div class="side {side}" title="{words.name}">{title}</div>')
                for column, stage in zip(choices, STAGES, strict=True):
                    with column:
                        _mode(place, panel, Branch(stage, kind, side))
    if len(panel.controls.shuffled):
        st.button(
            "Shuffle again",
            icon=":material/shuffle:",
            key=f"shuffle-{place}",
            help=f"This is shuffle {panel.controls.seed}.",
            on_click=_shuffle,
            args=(place,),
        )


def _row() -> list[DeltaGenerator]:
    return st.columns([1, 2, 2, 2], vertical_alignment="center", gap="xxsmall")


def _mode(place: int, panel: Panel, branch: Branch) -> None:
    key = f"control-{place}-{branch}"
    st.session_state[key] = panel.controls[branch]
    st.selectbox(
        branch.title,
        MODES,
        key=key,
        on_change=lambda: _set(place, Switches.only(branch), st.session_state[key]),
        disabled=not panel.switches[branch],
        label_visibility="collapsed",
        filter_mode=None,
    )


def _set(place: int, branches: Switches, mode: str) -> None:
    """Callback: these branches of a panel in a mode."""
    visit = session.visit()
    changed = visit.panels[place].controls.with_mode(branches, mode)
    session.keep(visit.with_panel(place, controls=changed))


def _shuffle(place: int) -> None:
    """Callback: another shuffle."""
    visit = session.visit()
    old = visit.panels[place].controls
    new = replace(old, seed=(old.seed + 1) % (MAX_SEED + 1))
    session.keep(visit.with_panel(place, controls=new))
