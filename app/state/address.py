"""The page's address holds the settings, so that a link shows them to somebody else.

    ?checkpoint=birds&crop=0.1,0.2,0.9,0.8&a=all&b=r_dis345.c_dis5@cars&map=dis&scale=own&opacity=40
    ?a=all&b=all~uniform:r_dis345~shuffled:c_con5~seed:2&map=evidence&class=Sooty+Albatross&rather=*

Photos are not part of it.  Whatever cannot be read falls back to the default, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import streamlit as st

from lafe.branches import Switches
from lafe.data.photo import WHOLE, Box
from lafe.explain.controls import Controls
from lafe.render.labels import LETTERS

from . import session
from .session import LAYERS, LIKELIEST, LOOKALIKES, MAX_PANELS, MAX_SEED, Display, Panel, Visit

T = TypeVar("T")

_MODES = ("uniform", "shuffled", "mean")  # another photo's gates need that photo
_REMOVED = "off"  # there is no panel B, which there usually is
_PANELS = LETTERS[:MAX_PANELS].lower()


def write(visit: Visit) -> dict[str, str]:
    """The query parameters of a visit."""
    params = {"checkpoint": visit.model} if visit.model else {}
    crop = visit.photo.crop if visit.photo else visit.first_crop
    if crop != WHOLE:
        params["crop"] = ",".join(f"{edge:g}" for edge in crop)
    for letter, panel in zip(_PANELS, visit.panels, strict=False):
        own = f"@{panel.checkpoint}" if panel.checkpoint else ""
        params[letter] = f"{panel.switches}{_controls(panel.controls)}{own}"
    if len(visit.panels) == 1:
        params["b"] = _REMOVED
    usual = Display()
    if visit.display.layer != usual.layer:
        params["map"] = visit.display.layer
    if visit.display.target != usual.target:
        params["class"] = visit.display.target
    if visit.display.versus != usual.versus:
        params["rather"] = visit.display.versus
    if visit.display.shared != usual.shared:
        params["scale"] = "own"
    if visit.display.opacity != usual.opacity:
        params["opacity"] = f"{100 * visit.display.opacity:.0f}"
    if visit.display.raw:
        params["probabilities"] = "raw"
    return params


def show(visit: Visit) -> None:
    """Put a visit into the browser's address, unless it is what the browser has."""
    params = write(visit)
    # The server hears late of a browser that went back, and never of the query where only that
    # changed: what was written or gone back to last is what the browser has.
    has = st.session_state.get(_HAS, st.query_params.to_dict())
    if params != has or not st.query_params:
        st.query_params.from_dict(params)
    st.session_state[_HAS] = params
    st.session_state.setdefault(_WHOSE, {})[_key(params)] = visit.current


def go_back(params: Mapping[str, str], known: Mapping[str, Collection[str]]) -> None:
    """Take over the settings of an address that this session showed before; no photo is lost.

    The crop and the model are those of the photo that was looked at then, if it is still here.
    """
    then, _ = read(params, known)
    now = session.visit()
    whose = st.session_state.get(_WHOSE, {}).get(_key(params))
    if whose in {p.digest for p in now.photos}:
        now = replace(now, current=whose).with_crop(then.first_crop)
        if then.checkpoint and then.checkpoint != now.model:
            photo = now.photo
            kind = photo.kind if photo and photo.is_new else None  # it will be recognised again
            now = now.with_model(then.checkpoint, kind)
    session.keep(replace(now, panels=then.panels, display=then.display))
    st.session_state[_HAS] = dict(params)


def holds_settings(params: Mapping[str, str]) -> bool:
    """Tell the address of a result from that of a first visit."""
    return "a" in params


_HAS, _WHOSE = "address", "address-of"


def _key(params: Mapping[str, str]) -> str:
    return str(sorted(params.items()))


def read(
    params: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> tuple[Visit, list[str]]:
    """A visit from query parameters, and the names of those that could not be read.

    Args:
        params: of the address, written by nobody knows whom.
        known: the names of the checkpoints that there are, and of each one's classes.
    """
    classes = {name for names in known.values() for name in names}
    unread: list[str] = []

    def get(key: str, parse: Callable[[str], T], usual: T) -> T:
        if key not in params:
            return usual
        try:
            return parse(params[key])
        except ValueError:
            unread.append(key)
            return usual

    def checkpoint(text: str) -> str | None:
        return _one_of(known)(text)

    def panel(text: str) -> Panel | None:
        if text == _REMOVED:
            return None
        setting, at, own = text.partition("@")
        switches, *controls = setting.split("~")
        return Panel(
            Switches.parse(switches), checkpoint(own) if at else None, _read_controls(controls)
        )

    usual, display = Visit(), Display()
    shown: list[Panel | None] = [*usual.panels, None, None]
    panels = [get(letter, panel, shown[place]) for place, letter in enumerate(_PANELS)]
    visit = Visit(
        checkpoint=get("checkpoint", checkpoint, None),
        panels=tuple(p for p in panels if p is not None) or usual.panels[:1],
        display=Display(
            layer=get("map", _one_of(LAYERS), display.layer),
            target=get("class", _one_of(classes), display.target),
            versus=get("rather", _one_of({*classes, LIKELIEST, LOOKALIKES}), display.versus),
            shared=get("scale", _one_of(("shared", "own")), "shared") == "shared",
            opacity=get("opacity", _percent, display.opacity),
            raw=get("probabilities", _one_of(("raw",)), "") == "raw",
        ),
        first_crop=get("crop", _box, WHOLE),
    )
    return visit, unread


def _one_of(choices: Collection[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError("no such choice")
        return text

    return parse


def _controls(controls: Controls) -> str:
    """``~uniform:r_dis345~shuffled:c_con5~seed:2``, of which only what is not usual."""
    parts = {
        name: str(switches)
        for name, switches in controls.modes.items()
        if len(switches) and name in _MODES
    }
    if controls.seed:
        parts["seed"] = str(controls.seed)
    return "".join(f"~{name}:{value}" for name, value in parts.items())


def _read_controls(parts: Sequence[str]) -> Controls:
    found = dict(part.split(":") for part in parts)
    seed = int(found.pop("seed", "0"))
    if not 0 <= seed <= MAX_SEED or found.keys() - set(_MODES):
        raise ValueError("no such control")
    return Controls(**{name: Switches.parse(text) for name, text in found.items()}, seed=seed)


def _percent(text: str) -> float:
    value = int(text)
    if not 0 <= value <= 100:
        raise ValueError("not from 0 to 100")
    return value / 100


def _box(text: str) -> Box:
    left, top, right, bottom = map(float, text.split(","))
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):  # false for NaN, too
        raise ValueError("no part of a photo")
    return left, top, right, bottom
