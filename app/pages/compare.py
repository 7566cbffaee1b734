"""The page "Compare": the answer, the photo under two to four settings, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from lafe.branches import Switches
from lafe.render.labels import LETTERS

from ..figures import maps
from ..figures.prediction import panel_words
from ..figures.tiles import legend
from ..state import address, models, session
from ..state.looks import Look, looks
from ..state.models import ModelError
from ..state.session import DIFFERENCE, PHOTO, WHY, Photo, Visit
from ..widgets.album import album
from ..widgets.answer import answer
from ..widgets.card import doubts
from ..widgets.components import Shown, live_diagram, viewer
from ..widgets.display import choices, question
from ..widgets.first import first_screen
from ..widgets.parts import guarded, plain
from ..widgets.settings import settings
from ..widgets.switchboard import set_switches, setting_name
from ..widgets.takeaway import takeaway


def page() -> None:
    if session.visit().photo is None:
        first_screen()
    else:
        _comparison()


@st.fragment
@guarded
def _comparison() -> None:
    """A fragment: a click on a switch redraws this and nothing else."""
    visit = session.visit()
    photo = visit.photo
    if photo is None:
        return
    found = looks(visit, photo)
    good = {place: look for place, look in enumerate(found) if isinstance(look, Look)}
    if good:
        first = next(iter(good.values()))
        answer(photo, first.panel, first.checkpoint, raw=visit.display.raw)
        layers, pictures = st.container(), st.container(key="pictures")
    with st.container(key="panels"):  # before the pictures, and these before what is clicked
        _words(found, photo.truth)
    if good:
        with pictures:
            _pictures(photo, visit, good)
        with layers:
            choices(visit.display, first.outcome)
    settings(visit)
    album(visit)
    takeaway()
    _built(visit.panels[0].switches)
    address.show(visit)


def _words(found: Sequence[Look | ModelError], truth: str | None) -> None:
    """Say what every panel says."""
    first = found[0] if isinstance(found[0], Look) else None
    grid = st.grid(min(len(found), 2), min_column_width=300, gap="medium")
    for place, look in enumerate(found):
        with grid.cell():
            if not isinstance(look, Look):
                st.warning(f"{LETTERS[place]}: {look}")
                continue
            against = first.outcome if place and first else None
            name = setting_name(look.panel.switches)
            st.html(panel_words(place, name, look.outcome, against, truth))
            if unsure := doubts(look.model, look.panel.switches):
                st.caption(unsure)


def _pictures(photo: Photo, visit: Visit, good: Mapping[int, Look]) -> None:
    """The photo under each panel's map, and what the colours mean."""
    display = visit.display
    asked = question(display, next(iter(good.values())).outcome)
    if display.layer == DIFFERENCE:
        sides = [(look.checkpoint, look.panel) for look in good.values()]
        layers = {0: maps.difference(photo, sides, asked, raw=display.raw)}
    elif display.layer == PHOTO:
        layers = {0: maps.Layer(maps.name(PHOTO), None, "")}
    else:
        layers = {
            place: maps.layer(photo, look.checkpoint, look.panel, display.layer, asked)
            for place, look in good.items()
        }
    shared = maps.scale(layers.values()) if display.shared else None
    scales = {place: shared or maps.scale([layer]) for place, layer in layers.items()}
    shown = []
    for place, layer in layers.items():
        picture = models.seen(photo, good.get(place, next(iter(good.values()))).model)
        painted = maps.painted(picture, layer, scales[place], display.opacity)
        alone = len(layers) == 1
        alt = "The photo" if painted is None else f"The photo under the map {layer.name}"
        name = "" if alone else setting_name(good[place].panel.switches)
        shown.append(
            Shown(
                picture if painted is None else painted,
                alt if alone else f"{alt}, panel {LETTERS[place]}",
                "" if alone else LETTERS[place],
                layer.name if alone else name,
            )
        )
    viewer(shown)
    _legends(layers, scales, shared is not None)
    if not asked.versus and display.layer == WHY:
        st.caption("This model knows one class: there is no runner-up.")


def _legends(
    layers: Mapping[int, maps.Layer], scales: Mapping[int, maps.Scale | None], shared: bool
) -> None:
    grid = st.grid(1 if len(layers) == 1 else 2, min_column_width=300, gap="medium")
    for place, layer in layers.items():
        scale = scales[place]
        with grid.cell():
            if layer.heat is not None and scale is not None:
                st.html(legend(scale, layer.note, layer.ends))
            elif layer.note:
                st.caption(plain(layer.note))


def _built(switches: Switches) -> None:
    """The diagram, in a drawer; what is clicked on it is the setting of A."""
    drawer = st.expander("How the model is built", on_change="rerun", key="built")
    with drawer:
        if drawer.open:
            st.caption("Click a branch to switch it off in A.")
            live_diagram(switches, lambda changed: set_switches(0, changed), key="diagram")
