"""The page "Studio": a drawn bird, of which it is known what sets it apart, under two settings."""

from __future__ import annotations

from html import escape

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from lafe.branches import PRESETS, Switches
from lafe.data.partbirds import (
    GENERA,
    PARTS,
    BirdClass,
    Sketch,
    differing,
    looks_of,
    species_of,
    varied,
)
from lafe.explain.outcome import Outcome, outcome
from lafe.render.outline import outlined
from lafe.render.pictures import jpeg_url
from lafe.render.text import percent

from ..figures import maps
from ..figures.maps import Layer, Question
from ..figures.tiles import legend
from ..state import birds, models, session
from ..widgets.answer import headline_if_any
from ..widgets.kept import kept
from ..widgets.parts import guarded, plain
from ..widgets.switchboard import setting_name

_SCENE = "studio-scene"
_TITLES = {
    "evidence": "All",
    "evidence-backbone": "f\N{SUBSCRIPT FIVE}",
    "evidence-dis": "D",
    "evidence-con": "\N{MINUS SIGN}C",
}


@guarded
def page() -> None:
    st.title("Studio", anchor=False)
    headline_if_any()
    st.markdown(
        "Make a bird, take a part of it away, switch branches off. These birds are drawn by code, "
        "so it is known which parts set two species apart, and which they share."
    )
    if birds.checkpoint() is None:
        st.markdown("No model of these birds is installed here: train the recipe `partbirds`.")
    else:
        _studio()


@st.fragment
@guarded
def _studio() -> None:
    """A fragment: a choice redraws this and nothing else."""
    name = birds.checkpoint()
    assert name is not None
    model = models.model(name)
    with st.container():  # style.css puts the pictures first where the window is narrow
        row, asking = (st.container(horizontal=True, vertical_alignment="bottom") for _ in "12")
        pictures = st.container(key="studio-pictures")
        others = st.expander("All parts of the bird")
    sketch, genus = _bird(row, others)
    with asking:
        gone, switches = _interventions(genus)
    answers = {}
    for missing in (None, gone):
        one = sketch if missing is None else sketch.less(missing)
        for on in (Switches.all(), switches):
            ready = birds.prepared(one, model)
            found = outcome(model.card.classes, ready.logits(on), ready.probabilities(on))
            answers[missing, on] = one, found
    first = answers[None, Switches.all()][1]
    with asking:
        asked, layer, outline = _question(sketch, genus, first)
    layers = {
        (missing, on): maps.evidence_layer(birds.prepared(one, model), on, layer, asked)
        for (missing, on), (one, _) in answers.items()
    }
    scale = maps.scale(layers.values())
    places = _apart(asked) if outline else ()
    with pictures:
        bird = sketch.species
        who = f"**{plain(bird.name)}**" if bird else "a bird of no species that the model knows"
        st.markdown(f"This is {who}.")
        cells = [
            _cell(missing, on, found, first, _picture(one, layers[missing, on], scale, places))
            for (missing, on), (one, found) in answers.items()
        ]
        st.html(f'<div class="studio">{"".join(cells)}</div>')
        if scale is not None:
            ends = next(iter(layers.values())).ends
            st.html(legend(scale, "One scale for all four maps.", ends))
        st.caption(_reading(asked, places))


def _bird(row: DeltaGenerator, others: DeltaGenerator) -> tuple[Sketch, str]:
    """The widgets of the bird: its genus and what varies in it, and all other parts."""
    with row:
        genus = kept(st.selectbox, "Genus", GENERA, key="studio-genus", usual=GENERA[0], width=180)
        chosen = {
            part: _look(part, genus, st.segmented_control, required=True, width="content")
            for part in varied(genus)
        }
        st.button("Another scene", icon=":material/landscape:", on_click=_next_scene)
    with others:
        board = st.grid(4, min_column_width=190, gap="small")
        for part in PARTS:
            if part not in chosen:
                with board.cell():
                    chosen[part] = _look(part, genus, st.selectbox)
    return Sketch.of(chosen, session.visit().choices.get(_SCENE, 0)), genus


def _look(part: str, genus: str, widget, **more):  # type: ignore[no-untyped-def]
    """The look of a part: of those of the genus alone where it varies, else of all species."""
    own = tuple(dict.fromkeys(bird.parts[part] for bird in species_of(genus)))
    options = own if part in varied(genus) else looks_of(part, genus)
    return kept(
        widget,
        part.capitalize(),
        options,
        key=f"studio-{genus}-{part}",
        usual=own[0],
        format_func=str,
        **more,
    )


def _next_scene() -> None:
    visit = session.visit()
    session.keep(visit.with_choice(_SCENE, visit.choices.get(_SCENE, 0) + 1))


def _interventions(genus: str) -> tuple[str, Switches]:
    """The part that is taken away, and the setting beside all branches."""
    gone = kept(
        st.selectbox,
        "Take away",
        PARTS,
        key=f"studio-gone-{genus}",
        usual=varied(genus)[0],
        format_func=str.capitalize,
        width=150,
    )
    settings = [s for s in PRESETS.values() if s != Switches.all()]
    no_con = PRESETS.get("no confusable", settings[0])
    switches = kept(
        st.selectbox,
        "Branches",
        settings,
        key="studio-setting",
        usual=no_con,
        format_func=setting_name,
        width=230,
    )
    return gone, switches


def _question(sketch: Sketch, genus: str, found: Outcome) -> tuple[Question, str, bool]:
    """The widgets of the map: evidence for the bird's species rather than another of its genus."""
    names = [bird.name for bird in species_of(genus)]
    own = sketch.species
    target = own.name if own is not None else found.best
    others = [name for name in names if name != target]
    versus = kept(
        st.selectbox,
        f"Why {target}, rather than",
        others,
        key=f"studio-versus-{target}",
        usual=next((n for n, _ in found.top(len(found.classes)) if n in others), others[0]),
        width=260,
    )
    layer = kept(
        st.segmented_control,
        "Evidence of",
        tuple(_TITLES),
        key="studio-layer",
        usual="evidence",
        format_func=_TITLES.__getitem__,
        required=True,
    )
    outline = kept(
        st.segmented_control,
        "What the model should look at",
        (False, True),
        key="studio-outline",
        usual=True,
        format_func=lambda on: "Outlined" if on else "Not",
        required=True,
    )
    return Question(target, (versus,)), layer, bool(outline)


def _apart(asked: Question) -> tuple[str, ...]:
    """The parts in which the two species of a question differ."""
    a, b = (_species(name) for name in (asked.target, *asked.versus))
    return differing(a, b)


def _species(name: str) -> BirdClass:
    return next(bird for genus in GENERA for bird in species_of(genus) if bird.name == name)


def _cell(missing: str | None, on: Switches, found: Outcome, first: Outcome, picture: str) -> str:
    """HTML of the model's answer, and of the picture that it is for."""
    what = "As it is" if missing is None else f"Without its {missing}"
    how = "all branches" if on == Switches.all() else setting_name(on).lower()
    (name, probability), (second, less) = found.top(2)
    other = name != first.best
    return (
        f"<figure><small>{escape(what)}, {escape(how)}</small>"
        f'<div class="answer">{escape(name)} {percent(probability)}</div>'
        f'<div class="change{" flipped" if other else ""}">'
        f"{'Changed; ' if other else ''}then {escape(second)} {percent(less)}</div>"
        f"{picture}</figure>"
    )


def _picture(
    sketch: Sketch, layer: Layer, scale: maps.Scale | None, places: tuple[str, ...]
) -> str:
    drawn = sketch.draw()
    picture = Image.fromarray(drawn.image)
    painted = maps.painted(picture, layer, scale, session.visit().display.opacity)
    shown = drawn.image if painted is None else painted
    for part in places:
        shown = outlined(shown, drawn.mask(part))
    alt = f"A drawn bird{'' if painted is None else ' under the map ' + layer.name}"
    return (
        f'<img alt="{escape(alt)}" src="{jpeg_url(shown)}">'
        f"<figcaption>{escape(layer.note)}</figcaption>"
    )


def _reading(asked: Question, places: tuple[str, ...]) -> str:
    target, versus = plain(asked.target), plain(asked.rivals)
    text = f"Green places speak for **{target}** rather than **{versus}**, purple ones against it."
    if places:
        text += (
            f" Outlined is what sets them apart, if it is there: {' and '.join(places)}. All other "
            "parts look the same in both."
        )
    return text
