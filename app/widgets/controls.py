"""The controls of a panel: does *where* a branch looks matter, or only how much it adds?"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lafe.branches import KINDS, STAGES, Branch, Switches, branch_name
from lafe.checkpoints.trained import Trained
from lafe.render import labels
from lafe.render.labels import SIDES

from ..state import session
from ..state.session import MAX_SEED, Panel

MODES = {
    "learned": "Learned",
    "uniform": "Uniform",
    "shuffled": "Shuffled",
    "mean": "Mean",
    "other photo": "Another photo\N{RIGHT SINGLE QUOTATION MARK}s",
}
"""Gates that a branch may have, by their names in `Controls`."""

_HELP = (
    "Does *where* a branch looks matter, and does it depend on the photo? **Uniform**: each gate "
    "is its own mean everywhere. **Shuffled**: its values in random places. **Mean**: the gate "
    "that it has on average over training photos. **Another photo\N{RIGHT SINGLE QUOTATION MARK}s"
    "**: the gate that it has for the next of your photos, or for a drawn bird if this is the only "
    "one. If the answer stays, the gate was not about this photo."
)


def controls_board(place: int, panel: Panel, model: Trained) -> None:
    """One choice for the gates of all branches that are on; a drawer with one for each branch."""
    modes = [mode for mode in MODES if mode != "mean" or model.mean_gates]
    key = f"control-{place}"
    here = {panel.controls[branch] for branch in panel.switches}
    st.session_state[key] = here.pop() if len(here) == 1 else None
    st.segmented_control(
        "Gates",
        modes,
        format_func=MODES.__getitem__,
        key=key,
        on_change=lambda: _set(place, panel.switches, st.session_state[key] or "learned"),
        disabled=not len(panel.switches),
        help=_HELP,
    )
    if stand_ins := panel.controls.in_force(panel.switches):
        words = labels.stand_ins(stand_ins)
        st.html(f'<div class="controlled">Not as learned: {words}</div>')
    drawer = st.popover(
        "Gates one by one", type="tertiary", on_change="rerun", key=f"controls-{place}"
    )
    with drawer:
        if drawer.open:
            _board(place, panel, modes)


def _board(place: int, panel: Panel, modes: list[str]) -> None:
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
                        _mode(place, panel, Branch(stage, kind, side), modes)
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


def _mode(place: int, panel: Panel, branch: Branch, modes: list[str]) -> None:
    key = f"control-{place}-{branch}"
    st.session_state[key] = panel.controls[branch]
    st.selectbox(
        str(branch),
        modes,
        format_func=MODES.__getitem__,
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
