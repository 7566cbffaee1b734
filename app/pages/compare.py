"""The page "Compare": one photo under two to four settings, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from lafe.branches import PRESETS, Switches
from lafe.explain.outcome import Change, Outcome, change, outcome
from lafe.render.labels import LETTERS
from lafe.render.pictures import jpeg_url
from lafe.render.text import number, percent

from ..figures import maps
from ..figures.maps import Layer, Scale
from ..figures.prediction import top_five
from ..figures.tiles import legend
from ..state import address, models, session
from ..state.models import ModelError, cards, title
from ..state.session import MAX_PANELS, Display, Panel, Photo
from ..widgets.card import doubts
from ..widgets.components import live_diagram
from ..widgets.controls import controls_board
from ..widgets.display import choices, question
from ..widgets.parts import badge, chart, guarded, plain
from ..widgets.sidebar import camera, uploader
from ..widgets.switchboard import preset_picker, set_switches, setting_name, switchboard
from ..widgets.takeaway import takeaway


def page() -> None:
    if session.visit().photo is None:
        _first_screen()
    else:
        _comparison()


def _first_screen() -> None:
    """An introduction, the place for a photo, and the model's plan."""
    st.title("What did the model look at, and what if it hadn\N{RIGHT SINGLE QUOTATION MARK}t?")
    st.markdown(
        "LAFE names a bird, a car or an aircraft from what sets it apart, minus what it shares "
        "with its look-alikes.  \n"
        "Upload a photo, switch attention branches off, and compare two settings side by side."
    )
    with st.container(key="first-upload", gap="xsmall"):
        uploader("first")
        camera("first")
    _built()


@st.fragment
@guarded
def _built() -> None:
    """The diagram.  What is tried on it is the setting of panel A."""
    switches = session.visit().panels[0].switches
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("How the model is built", anchor=False, width="content")
        st.caption("Click a branch to switch it off. This is panel A; panel B starts with none.")
    st.session_state["try"] = switches if switches in PRESETS.values() else None
    st.pills(
        "Setting of panel A",
        list(PRESETS.values()),
        format_func=setting_name,
        key="try",
        on_change=lambda: set_switches(0, st.session_state["try"] or Switches.all()),
        label_visibility="collapsed",
    )
    live_diagram(switches, lambda changed: set_switches(0, changed), key="diagram")
    address.show(session.visit())


_TICK = '<span class="tick" title="Where A stands">┃ A</span>'


@dataclass(frozen=True, eq=False)
class Look:
    """A panel's answer for a photo."""

    panel: Panel
    checkpoint: str
    outcome: Outcome
    unknown: bool
    doubts: str


def _look(photo: Photo, panel: Panel, checkpoint: str) -> Look | ModelError:
    """A panel's answer, or the error of a model that cannot be used: it spoils no other panel."""
    try:
        model = models.model(checkpoint)
        ready = models.under(photo, panel, model)
        unknown = models.is_unknown(photo, model)
    except ModelError as error:
        return error
    logits, probabilities = ready.logits(panel.switches), ready.probabilities(panel.switches)
    found = outcome(model.card.classes, logits, probabilities)
    return Look(panel, checkpoint, found, unknown, doubts(model, panel.switches))


@st.fragment
@guarded
def _comparison() -> None:
    """The panels.  A fragment: a click on a switch redraws these and nothing else."""
    visit = session.visit()
    photo = visit.photo
    if photo is None:
        return
    looks = [_look(photo, panel, visit.checkpoint_of(panel)) for panel in visit.panels]
    good = {place: look for place, look in enumerate(looks) if isinstance(look, Look)}
    if good:
        choices(visit.display, next(iter(good.values())).outcome)
        _warn(photo, good.values())
    count = len(looks)
    grid = st.grid(count if count < MAX_PANELS else 2, min_column_width=330, border=True)
    spots = {}
    for place, (panel, look) in enumerate(zip(visit.panels, looks, strict=True)):
        with grid.cell():
            _header(place, panel, visit.checkpoint_of(panel), removable=place > 1)
            switchboard(place, panel)
            controls_board(place, panel)
            if isinstance(look, ModelError):
                st.warning(str(look))
                continue
            first = looks[0] if place and isinstance(looks[0], Look) else None
            sides = st.grid(2, min_column_width=200, gap="small")
            spots[place] = sides.cell()
            with sides.cell():
                _prediction(place, look, first, photo.truth)
    if good:
        _pictures(photo, visit.display, good, spots)
    if len(looks) < MAX_PANELS:
        st.button("Add a panel", icon=":material/add:", on_click=_add_panel)
    takeaway()
    address.show(visit)


def _warn(photo: Photo, looks: Iterable[Look]) -> None:
    """Say plainly that a photo looks like nothing a model knows, and which one knows its like."""
    known = cards()
    for name in dict.fromkeys(look.checkpoint for look in looks if look.unknown):
        model, count = plain(title(name, known[name])), len(known[name].classes)
        better = [other for other in models.who_knows(photo) if other != name]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(
                f"This does not look like any of the {count} classes of the model “{model}”. "
                "Take what it says as guesses, "
                + ("or choose a model that knows its like." if better else "or crop closer."),
                icon=":material/help:",
            )
            for other in better:
                if st.button(
                    f"Use “{plain(title(other, known[other]))}”", key=f"use-{name}-{other}"
                ):
                    _use(name, other)
                    st.rerun()  # the sidebar, too


def _use(name: str, other: str) -> None:
    """The panels that used one model use another."""
    visit = session.visit()
    panels = tuple(
        replace(p, checkpoint=None) if visit.checkpoint_of(p) == name else p for p in visit.panels
    )
    if visit.checkpoint == name:
        session.keep(replace(visit, checkpoint=other, panels=panels))
        return
    for place, panel in enumerate(visit.panels):
        if visit.checkpoint_of(panel) == name:
            visit = visit.with_panel(place, checkpoint=other)
    session.keep(visit)


def _header(place: int, panel: Panel, checkpoint: str, *, removable: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.html(badge(place), width="content")
        preset_picker(place, panel)
        _model_picker(place, checkpoint)
        with st.container(horizontal=True, width="content", gap="xsmall"):
            for label, switches in (("All on", Switches.all()), ("All off", Switches.none())):
                st.button(
                    label,
                    key=f"{label}-{place}",
                    type="tertiary",
                    on_click=set_switches,
                    args=(place, switches),
                )
            if removable:
                st.button(
                    f"Remove panel {LETTERS[place]}",
                    key=f"remove-{place}",
                    icon=":material/close:",
                    type="tertiary",
                    on_click=_remove_panel,
                    args=(place,),
                )


def _model_picker(place: int, checkpoint: str) -> None:
    known = cards()
    key = f"model-{place}"
    st.session_state[key] = checkpoint

    def pick() -> None:
        own = st.session_state[key]
        visit = session.visit()
        session.keep(visit.with_panel(place, checkpoint=None if own == visit.checkpoint else own))

    st.selectbox(
        f"Model of panel {LETTERS[place]}",
        list(dict.fromkeys([*known, checkpoint])),
        format_func=lambda name: title(name, known[name]) if name in known else name,
        key=key,
        on_change=pick,
        label_visibility="collapsed",
        width=130,
    )


def _pictures(
    photo: Photo,
    display: Display,
    looks: Mapping[int, Look],
    spots: Mapping[int, DeltaGenerator],
) -> None:
    """The photo under each panel's map.  They come last: answers need not wait for them."""
    asked = question(display, next(iter(looks.values())).outcome)
    layers = {
        place: maps.layer(photo, look.checkpoint, look.panel, display.layer, asked)
        for place, look in looks.items()
    }
    shared = maps.scale(layers.values())
    for place, spot in spots.items():
        layer = layers[place]
        scale = shared if display.shared else maps.scale([layer])
        with spot:
            _picture(
                models.seen(photo, models.model(looks[place].checkpoint)), layer, scale, display
            )


def _picture(picture: Image.Image, layer: Layer, scale: Scale | None, display: Display) -> None:
    painted = maps.painted(picture, layer, scale, display.opacity)
    off = painted is None
    # In the page itself: a picture in Streamlit's store is gone before a quick visitor has it.
    st.image(
        jpeg_url(picture if painted is None else painted),
        width="stretch",
        alt=f"The photo{' alone' if off else ' under the map ' + layer.name}",
    )
    if layer.heat is None or scale is None:
        st.caption(plain(layer.note))
    else:
        st.html(legend(scale, layer.note))


def _prediction(place: int, look: Look, first: Look | None, truth: str | None) -> None:
    name, probability = look.outcome.top(1)[0]
    against = first.outcome if first is not None else None
    lines = [f'<div class="answer">{escape(name)}</div>']
    if against is not None:
        lines.append(_changed(change(against, look.outcome)))
    elif not place:
        lines.append('<div class="change">The others are compared with this.</div>')
    if truth is not None:
        lines.append(_truth(look.outcome, truth))
    st.html("".join(lines))
    chart(
        top_five(look.outcome, against, truth),
        f"Five likeliest classes; first {name} with {percent(probability)}",
        f"bars-{place}",
        fixed=True,
    )
    if look.doubts:
        st.caption(look.doubts)


def _changed(change: Change) -> str:
    """HTML: what this panel says against panel A."""
    if change.identical:
        return '<div class="change">Identical to A, to the bit.</div>'
    if change.probability_after is None:
        return f'<div class="change">This model does not know {escape(change.before)}.</div>'
    points = f"{number(change.points or 0, '+.1f')} points"
    if not change.flipped:
        return f'<div class="change">Same class as A, {points}. {_TICK}</div>'
    now = f"rank {change.rank_after} here with {percent(change.probability_after)} ({points})"
    return (
        f'<div class="change flipped">Changed. {escape(change.before)}, first in A, is {now}. '
        f"{_TICK}</div>"
    )


def _truth(outcome: Outcome, truth: str) -> str:
    """HTML: where the true class stands."""
    rank, probability = outcome.rank(truth), outcome.probability(truth)
    if rank is None:
        return f'<div class="truth">This model does not know {escape(truth)}.</div>'
    if rank == 1:
        return '<div class="truth right">✓ This is the true class.</div>'
    return (
        f'<div class="truth">True class {escape(truth)}: rank {rank} of '
        f"{len(outcome.classes)}, {percent(probability or 0)}.</div>"
    )


def _add_panel() -> None:
    visit = session.visit()
    session.change(panels=(*visit.panels, visit.panels[-1]))


def _remove_panel(place: int) -> None:
    panels = session.visit().panels
    session.change(panels=panels[:place] + panels[place + 1 :])
