"""The choices above the panels: the map over the photo, and its looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lafe.explain.outcome import Outcome
from lafe.render.labels import SHORT_TERMS

from ..figures import maps
from ..figures.maps import Question
from ..state import session
from ..state.session import (
    AVERAGE,
    BRANCH_LAYERS,
    EVIDENCE_LAYERS,
    FUSED_LAYERS,
    LIKELIEST,
    Display,
)
from .parts import plain

_PARTS = {layer: SHORT_TERMS.get(layer.partition("-")[2], "All") for layer in EVIDENCE_LAYERS}


def question(display: Display, first: Outcome) -> Question:
    """The question that evidence answers, the same in all panels: named by panel A's answer."""
    target = display.target if display.target in first.classes else first.best
    versus = display.versus
    if versus != AVERAGE and (versus == target or versus not in first.classes):
        versus = next((name for name, _ in first.top(2) if name != target), AVERAGE)
    return Question(target, versus)


def choices(display: Display, first: Outcome) -> None:
    """The widgets.  Classes are those that panel A's model knows."""
    with st.container(horizontal=True, key="display"):
        _fused(display)
        _branch(display)
        _evidence(display)
        _look(display)
    if display.layer in EVIDENCE_LAYERS:
        _classes(display, first)


def _show(**changes: Any) -> None:
    session.change(display=replace(session.visit().display, **changes))


def _fused(display: Display) -> None:
    st.session_state["map"] = display.layer if display.layer in FUSED_LAYERS else None
    st.segmented_control(
        "Map over the photo",
        FUSED_LAYERS,
        format_func=maps.name,
        key="map",
        on_change=lambda: _show(layer=st.session_state["map"] or display.layer),
        help="Final F₅ is what is classified: the backbone's features plus D minus C.",
    )


def _branch(display: Display) -> None:
    st.session_state["branch-map"] = display.layer if display.layer in BRANCH_LAYERS else None
    st.selectbox(
        "or one branch",
        BRANCH_LAYERS,
        index=None,
        format_func=maps.name,
        placeholder="Choose a branch",
        key="branch-map",
        on_change=lambda: _show(layer=st.session_state["branch-map"] or "final"),
        width=170,
    )


def _evidence(display: Display) -> None:
    st.session_state["evidence"] = display.layer if display.layer in EVIDENCE_LAYERS else None
    st.segmented_control(
        "or evidence for a class",
        EVIDENCE_LAYERS,
        format_func=lambda layer: _PARTS[layer],
        key="evidence",
        on_change=lambda: _show(layer=st.session_state["evidence"] or display.layer),
        help="What every place adds to a class's score, exactly: all of F₅, or one of the parts "
        "that it is the sum of.",
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
        width=130,
    )


def _classes(display: Display, first: Outcome) -> None:
    """The class that evidence is for, the one that it is against, and how to read it."""
    asked = question(display, first)
    names = sorted(first.classes)
    likeliest = question(replace(display, target=LIKELIEST), first).target
    runner_up = question(replace(display, versus=LIKELIEST), first).versus
    labels = {LIKELIEST: f"{likeliest} (predicted in A)"}
    with st.container(horizontal=True, key="evidence-classes"):
        st.session_state["target"] = display.target if display.target in names else LIKELIEST
        st.selectbox(
            "Evidence for",
            [LIKELIEST, *names],
            format_func=lambda name: labels.get(name, name),
            key="target",
            on_change=lambda: _show(target=st.session_state["target"]),
            width=320,
        )
        others = {AVERAGE: "the average class", LIKELIEST: f"{runner_up} (likeliest other in A)"}
        st.session_state["versus"] = asked.versus if asked.versus == display.versus else LIKELIEST
        st.selectbox(
            "rather than",
            [*others, *(name for name in names if name != asked.target)],
            format_func=lambda name: others.get(name, name),
            key="versus",
            on_change=lambda: _show(versus=st.session_state["versus"]),
            width=320,
        )
    st.caption(_reading(asked))


def _reading(asked: Question) -> str:
    """Markdown: how to read the maps."""
    target, versus = plain(asked.target), plain(asked.versus)
    if asked.versus == AVERAGE:
        return (
            f"Green places speak for **{target}**, purple ones against it. The values of all "
            "places, with the bias, add up to its centred logit: the logit minus its mean over "
            "all classes."
        )
    return (
        f"Green places speak for **{target}** rather than **{versus}**, purple ones the other way. "
        "The values of all places, with the bias, add up to the lead: the first one's logit minus "
        "the second one's."
    )
