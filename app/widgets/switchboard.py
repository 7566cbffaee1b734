"""The twelve switches of a panel, and the presets that set them all."""

from __future__ import annotations

import streamlit as st

from lafe.branches import BRANCHES, KINDS, PRESETS, STAGES, Switches, branch_name
from lafe.render import labels

from ..state import session
from ..state.session import Panel


def switchboard(place: int, panel: Panel) -> None:
    """The twelve switches of one panel: two sides, two kinds of attention, three stages."""
    board = st.grid(2, min_column_width=215, gap=("xxsmall", "small"), key=f"board-{place}")
    for side, words in labels.SIDES.items():
        with board.cell(), st.container(key=f"side-{place}-{side}", gap="xxsmall"):
            st.html(
                f'<div class="side {side}" title="{words.sentence}"><b>{words.sign}</b> '
                f"{words.name}</div>",
            )
            for kind in KINDS:
                _switches_of(place, panel, kind, side)


def _switches_of(place: int, panel: Panel, kind: str, side: str) -> None:
    branch = branch_name(kind, side)
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
        f"Panel {labels.LETTERS[place]}: {labels.KINDS[kind]} attention, "
        f"{labels.SIDES[side].name.lower()}",
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
    """A setting, as a heading; branches are called what they are called everywhere."""
    name = labels.setting(switches)
    return name if name.startswith(BRANCHES) else name[:1].upper() + name[1:]


def preset_picker(place: int, panel: Panel) -> None:
    """Presets, and the setting itself where it is none of them."""
    key = f"preset-{place}"
    options = list(dict.fromkeys([*PRESETS.values(), panel.switches]))
    st.session_state[key] = panel.switches

    def pick() -> None:
        # A quick click on a switch brings what stood here before the last one: that is no choice.
        # Rows that are folded away say nothing.
        rows = {b: st.session_state.get(_row(place, b), _on(panel, b)) for b in BRANCHES}
        if all(sorted(on) == _on(panel, branch) for branch, on in rows.items()):
            set_switches(place, st.session_state[key])

    st.selectbox(
        f"Setting of panel {labels.LETTERS[place]}",
        options,
        format_func=setting_name,
        key=key,
        on_change=pick,
        label_visibility="collapsed",
        filter_mode=None,
    )


def set_switches(place: int, switches: Switches) -> None:
    """Callback: one panel's setting."""
    session.keep(session.visit().with_panel(place, switches=switches))
