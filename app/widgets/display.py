"""The row of choices above the pictures: the map over the photo, and how it lies there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lafe.explain.outcome import Outcome
from lafe.render.labels import SHORT_TERMS
from lafe.render.names import spelled

from ..figures import maps
from ..figures.maps import Question
from ..state import session
from ..state.session import (
    AVERAGE,
    BRANCH_LAYERS,
    EVIDENCE,
    FUSED_LAYERS,
    LIKELIEST,
    LOOKALIKES,
    MAIN_LAYERS,
    PART_LAYERS,
    WHY,
    Display,
)
from .parts import plain

_PARTS = {layer: SHORT_TERMS[layer.partition("-")[2]] for layer in PART_LAYERS}


def question(display: Display, first: Outcome) -> Question:
    """Name what evidence is for, the same in all panels, by what panel A says."""
    target = display.target if display.target in first.classes else first.best
    versus = LIKELIEST if display.layer == WHY and display.versus == AVERAGE else display.versus
    if versus == AVERAGE:
        return Question(target)
    if versus == LOOKALIKES:
        return Question(target, first.lookalikes(target))
    if versus == target or versus not in first.classes:
        return Question(target, tuple(name for name, _ in first.top(2) if name != target)[:1])
    return Question(target, (versus,))


def choices(display: Display, first: Outcome) -> None:
    """The four layers, and a drawer with all other maps and how they are shown.

    Classes are those that panel A's model knows.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="display"):
        st.session_state["layer"] = display.layer if display.layer in MAIN_LAYERS else None
        st.segmented_control(
            "Over the photo",
            MAIN_LAYERS,
            format_func=maps.name,
            key="layer",
            on_change=lambda: _show(layer=st.session_state["layer"] or display.layer),
            label_visibility="collapsed",
        )
        drawer = st.popover(
            "More maps", icon=":material/layers:", on_change="rerun", key="more-maps"
        )
        with drawer:
            if drawer.open:
                _more(display, first)


def _more(display: Display, first: Outcome) -> None:
    """Everything that most visitors never need."""
    _fused(display)
    _branch(display)
    _evidence(display)
    _classes(display, first)
    _look(display)


def _show(**changes: Any) -> None:
    session.change(display=replace(session.visit().display, **changes))


def _fused(display: Display) -> None:
    st.session_state["map"] = display.layer if display.layer in FUSED_LAYERS else None
    st.segmented_control(
        "Features",
        FUSED_LAYERS,
        format_func=maps.name,
        key="map",
        on_change=lambda: _show(layer=st.session_state["map"] or display.layer),
        help="Final F₅ is what is classified: the backbone's features plus D minus C.",
    )


def _branch(display: Display) -> None:
    st.session_state["branch-map"] = display.layer if display.layer in BRANCH_LAYERS else None
    st.selectbox(
        "Map of one branch",
        BRANCH_LAYERS,
        index=None,
        format_func=maps.name,
        placeholder="Choose a branch",
        key="branch-map",
        on_change=lambda: _show(layer=st.session_state["branch-map"] or EVIDENCE),
    )


def _evidence(display: Display) -> None:
    st.session_state["evidence"] = display.layer if display.layer in PART_LAYERS else None
    st.segmented_control(
        "Evidence in one part",
        PART_LAYERS,
        format_func=lambda layer: _PARTS[layer],
        key="evidence",
        on_change=lambda: _show(layer=st.session_state["evidence"] or display.layer),
        help="What every place adds to a class's score, exactly: that of one of the three parts "
        "that F₅ is the sum of.",
    )


def _look(display: Display) -> None:
    st.session_state["scale"] = display.shared
    st.segmented_control(
        "Colour scale",
        (True, False),
        format_func=lambda shared: "Shared" if shared else "Own",
        required=True,
        key="scale",
        on_change=lambda: _show(shared=st.session_state["scale"]),
        help="One for all panels, or each panel its own.",
    )
    st.session_state["opacity"] = round(100 * display.opacity)
    st.slider(
        "Opacity",
        0,
        100,
        step=5,
        format="%d %%",
        key="opacity",
        on_change=lambda: _show(opacity=st.session_state["opacity"] / 100),
    )
    st.session_state["raw"] = display.raw
    st.segmented_control(
        "Probabilities",
        (False, True),
        format_func=lambda raw: "Raw" if raw else "Calibrated",
        required=True,
        key="raw",
        on_change=lambda: _show(raw=st.session_state["raw"]),
        help="Calibrated ones say how often the model is right: every setting has a temperature, "
        "which its logits are divided by. Raw ones are the softmax of the logits as they are.",
    )


def _classes(display: Display, first: Outcome) -> None:
    """The class that evidence is for, the one that it is against, and how to read it."""
    asked = question(display, first)
    names = sorted(first.classes)
    likeliest = question(replace(display, target=LIKELIEST), first).target
    runner_up = question(replace(display, versus=LIKELIEST), first).rivals
    labels = {LIKELIEST: f"{spelled(likeliest)} (predicted in A)"}
    with st.container(key="evidence-classes"):
        st.session_state["target"] = display.target if display.target in names else LIKELIEST
        st.selectbox(
            "Evidence for",
            [LIKELIEST, *names],
            format_func=lambda name: labels.get(name, spelled(name)),
            key="target",
            on_change=lambda: _show(target=st.session_state["target"]),
        )
        others = {
            AVERAGE: "the average class",
            LIKELIEST: f"{runner_up} (likeliest other in A)",
            LOOKALIKES: "the look-alikes in A",  # which these are is said below
        }
        known = {LOOKALIKES, *asked.versus} if asked.versus else {AVERAGE}
        st.session_state["versus"] = display.versus if display.versus in known else LIKELIEST
        st.selectbox(
            "rather than",
            [*others, *(name for name in names if name != asked.target)],
            format_func=lambda name: others.get(name, spelled(name)),
            key="versus",
            on_change=lambda: _show(versus=st.session_state["versus"]),
        )
    st.caption(_reading(asked))


def _reading(asked: Question) -> str:
    """Markdown: how to read the maps."""
    target, versus = plain(spelled(asked.target)), plain(asked.rivals)
    if not asked.versus:
        return (
            f"Green places speak for **{target}**, purple ones against it. The values of all "
            "places, with the bias, add up to its centred logit: the logit minus its mean over "
            "all classes."
        )
    less = "the mean of the others'" if len(asked.versus) > 1 else "the second one's"
    return (
        f"Green places speak for **{target}** rather than **{versus}**, purple ones the other way. "
        "The values of all places, with the bias, add up to the lead: the first one's logit minus "
        f"{less}."
    )
