"""The page "Attribution": any explanations of a photo side by side, and what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lafe.explain.attribution.baselines import BASELINES
from lafe.explain.attribution.methods import METHODS
from lafe.measure.faithfulness.curves import beside_chance
from lafe.render.labels import LETTERS
from lafe.render.names import spelled
from lafe.render.text import duration, number

from ..figures import maps
from ..figures.curves import deletion_or_insertion, title
from ..figures.tiles import legend, tile
from ..state import explanations, models, session
from ..state.explanations import RANDOMS, Asked
from ..state.session import Panel, Photo, Visit
from ..widgets.answer import headline
from ..widgets.first import begin
from ..widgets.kept import kept
from ..widgets.parts import badge, chart, guarded, plain, two_columns
from ..widgets.switchboard import setting_name

FIRST = ("evidence-dis", "evidence-con", "grad-cam-f5")
MOST = 6
_TILE = 360  # px, longest side of a picture here


@guarded
def page() -> None:
    photo = session.visit().photo
    st.title("Attribution", anchor=False)
    if photo is None:
        begin("Explanations of your photo side by side, and what each of them is worth.")
    else:
        headline(photo)
        _explanations(photo)


# No fragment: a click in one waits for its run to end, and Stop must not.
@guarded
def _explanations(photo: Photo) -> None:
    """The choices, the maps under every panel's setting, and their curves."""
    visit = session.visit()
    methods = kept(
        st.multiselect,
        "Methods",
        list(METHODS),
        usual=list(FIRST),
        format_func=lambda name: METHODS[name].title + (" (slow)" if METHODS[name].slow else ""),
        max_selections=MOST,
        key="attribution-methods",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = kept(
            st.segmented_control,
            "Deletion and insertion, against",
            ("off", *BASELINES),
            format_func={"off": "Off", "blur": "Blur", "mean": "Mean colour"}.__getitem__,
            required=True,
            usual="off",
            key="attribution-against",
            help="In 16 steps the pixels that a map names first give way to a blurred or plain "
            "photo, or come back: the class should fall, or rise, faster than in random order.",
        )
        with st.popover("Classes and colours", icon=":material/tune:"):
            target, versus = _question(photo, visit)
            own = kept(
                st.segmented_control,
                "Colour scale",
                (True, False),
                format_func=lambda own: "Each its own" if own else "One for a panel",
                required=True,
                usual=True,
                key="attribution-own",
            )
    against = None if chosen == "off" else chosen
    every = {
        place: asked
        for place, panel in enumerate(visit.panels)
        if (asked := _asked(visit.checkpoint_of(panel), panel, target, versus)) is not None
    }
    work = st.container()
    why = escape(f"why {spelled(target)}" + (f", and not {spelled(versus)}" if versus else ""))
    for place, asked in every.items():
        st.html(f"{badge(place)} <b>{escape(setting_name(asked.panel.switches))}</b>: {why}")
        _maps(photo, asked, methods, bool(own), visit.display.opacity)
        if against is not None:
            _curves(photo, asked, methods, against, place)
    if any(METHODS[name].family == "grad-cam" for name in methods):
        st.caption("Grad-CAM is shown signed: nothing is cut off below zero.")
    with work:
        _work(explanations.jobs(photo, list(every.values()), methods, against))


def _question(photo: Photo, visit: Visit) -> tuple[str, str | None]:
    """The class, and the one that it is held against, if any."""
    first = visit.checkpoint_of(visit.panels[0])
    classes = list(models.cards()[first].classes)
    panel = visit.panels[0]
    ready = models.under(photo, panel, models.model(first))
    best = classes[int(ready.logits(panel.switches).argmax())]
    target = kept(
        st.selectbox,
        "Why",
        classes,
        format_func=spelled,
        usual=best,
        key=f"attribution-target-{photo.digest[:8]}-{first}",
    )
    versus = kept(
        st.selectbox,
        "and not",
        [name for name in classes if name != target],
        format_func=spelled,
        usual=None,
        index=None,
        placeholder="any other class",
        key=f"attribution-versus-{first}",
    )
    return target, versus


def _asked(checkpoint: str, panel: Panel, target: str, versus: str | None) -> Asked | None:
    classes = list(models.cards()[checkpoint].classes)
    if target not in classes or (versus is not None and versus not in classes):
        st.caption(f"The model “{plain(checkpoint)}” of a panel does not know these classes.")
        return None
    other = None if versus is None else classes.index(versus)
    return Asked(checkpoint, panel, classes.index(target), other)


def _maps(photo: Photo, asked: Asked, methods: Sequence[str], own: bool, opacity: float) -> None:
    layers = [explanations.layer(photo, asked, method) for method in methods]
    picture = models.seen(photo, models.model(asked.checkpoint)).copy()
    picture.thumbnail((_TILE, _TILE))
    shared = None if own else maps.scale(layers)
    tiles = "".join(tile(picture, layer, shared, opacity, noted=True) for layer in layers)
    st.html(f'<div class="tiles">{tiles}</div>')
    if shared is not None:
        st.html(f'<div class="below">{legend(shared)}</div>')


def _curves(photo: Photo, asked: Asked, methods: Sequence[str], against: str, place: int) -> None:
    found, chance = (
        {
            name: curve
            for name in names
            if (curve := explanations.measured(photo, asked, name, against)) is not None
        }
        for names in (methods, RANDOMS)
    )
    if not found or not chance:
        return
    orders = list(chance.values())
    sides = two_columns()
    for kind in ("deletion", "insertion"):
        with sides.cell():
            st.markdown(f"**{kind.capitalize()}** of panel {LETTERS[place]}")
            chart(
                deletion_or_insertion(found, orders, kind),
                f"{kind.capitalize()}: the class's probability by the share of the photo, a curve "
                "for each map and a band of random orders; the areas stand in the table",
                f"curves-{kind}-{place}",
            )
    words = {name: beside_chance(curve, orders) for name, curve in found.items()}
    st.table(
        {
            "Map": [title(name) for name in found],
            "Area, deletion": [number(c.deletion_area, ".3f") for c in found.values()],
            "beside random orders": [words[name]["deletion"] for name in found],
            "Area, insertion": [number(c.insertion_area, ".3f") for c in found.values()],
            "beside them": [words[name]["insertion"] for name in found],
        }
    )
    st.caption(
        "A map that names what matters has a small area of deletion, a large of insertion. Better "
        f"or worse than chance: than all of {len(orders)} random orders."
    )


def _work(jobs: Sequence[explanations.Job]) -> None:
    """Start and stop what is slow.  A click on Stop ends the run at its next sign of progress."""
    if not jobs:
        return
    if not st.session_state.get("attribution-running"):
        st.button(
            f"Compute what is missing ({len(jobs)}; {_long(jobs)})",
            icon=":material/play_arrow:",
            type="primary",
            on_click=_run,
            args=(True,),
        )
        return
    st.button("Stop", icon=":material/stop:", on_click=_run, args=(False,))
    for job in jobs:
        bar = st.progress(0.0, job.title)
        job.run(partial(_tell, bar, job.title))
    _run(False)
    st.rerun()


def _long(jobs: Sequence[explanations.Job]) -> str:
    """Say how long the jobs will take, by what a pass took here."""
    return duration(sum(job.seconds for job in jobs))


def _tell(bar: DeltaGenerator, title: str, done: float) -> None:
    bar.progress(done, title)


def _run(running: bool) -> None:
    st.session_state["attribution-running"] = running
