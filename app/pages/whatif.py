"""The page "What if": a region painted over, the places that suffice, places of another photo."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from lafe.branches import FULL
from lafe.errors import LafeError
from lafe.explain.places import Place
from lafe.explain.prepare import Prepared
from lafe.explain.region import Region, of_places, packed, region, unpacked
from lafe.explain.sufficient import Sufficient, sufficient
from lafe.explain.swap import Pasted, Swap, paste, swap
from lafe.render.edits import numbered
from lafe.render.names import spelled
from lafe.render.text import number, percent

from ..state import gallery, models, session
from ..state.session import Photo
from ..widgets.answer import headline
from ..widgets.components import CELLS, brush
from ..widgets.first import begin
from ..widgets.kept import kept
from ..widgets.pair import asked
from ..widgets.parts import guarded, plain, two_columns

_NOTHING = bytes(CELLS * CELLS // 8)


@guarded
def page() -> None:
    photo = session.visit().photo
    st.title("What if", anchor=False)
    if photo is None:
        begin("Paint a part of your photo over, or lend it places of another: what is it then?")
        return
    headline(photo)
    checkpoint = session.visit().model or ""
    pair = asked(photo, checkpoint, "whatif")
    if pair is None:
        return
    _painting(photo, checkpoint, pair)
    _enough(photo, checkpoint, pair)
    _lending(photo, checkpoint, pair)


@st.fragment
@guarded
def _painting(photo: Photo, checkpoint: str, pair: tuple[int, int]) -> None:
    """A fragment: a stroke redraws this and nothing else."""
    st.subheader("What if it could not see this?", anchor=False)
    model = models.model(checkpoint)
    key = f"brush-{photo.digest[:8]}-{checkpoint}-{photo.crop}"

    def paint(cells: bytes) -> None:
        session.keep(session.visit().with_choice(key, cells))

    cells = session.visit().choices.get(key, _NOTHING)
    sides = two_columns()
    with sides.cell():
        brush(models.seen(photo, model), cells, paint, key=key)
    with sides.cell():
        ready = models.prepared(photo, model)
        if cells == _NOTHING:
            st.markdown("Paint over what you want to ask about: a beak, a wing, the sky behind.")
            enough = _kept_by(ready, pair)
            if enough and enough.places:
                st.button(
                    "Paint the places that suffice",
                    icon=":material/brush:",
                    on_click=paint,
                    args=(_cells(enough.places, ready),),
                )
            return
        a, b = pair
        found = region(ready, unpacked(cells, CELLS), target=a, versus=b)
        st.markdown(_without(ready, found, pair))
        picture = model.preprocess.picture(found.blanked.x)
        st.image(
            picture.resize(models.seen(photo, model).size),
            width="stretch",
            alt="Your photo with the region blurred, as the model sees it then",
        )
        st.caption(
            "The share is exact; the answer without the region is the model run again. A place of "
            "its last map sees far more than the patch it stands on, so the two need not agree."
        )


def _cells(places: Iterable[Place], ready: Prepared) -> bytes:
    return packed(of_places(places, ready.features[-1].shape[-1]), CELLS)


def _without(ready: Prepared, found: Region, pair: tuple[int, int]) -> str:
    """Say what the region adds to the lead, and what the model says without it."""
    a, b = (plain(spelled(ready.card.classes[i])) for i in pair)
    share = f", {percent(found.share)} of it" if 0 <= found.share <= 1 else ""
    before, after = ready.probabilities(FULL), found.blanked.probabilities(FULL)
    best, then = int(before.argmax()), int(after.argmax())
    name = plain(spelled(ready.card.classes[then]))
    says = "it is still" if then == best else "it becomes"
    return (
        f"The painted {percent(found.coverage)} of the picture adds "
        f"**{number(found.inside, '+.2f')}** to the lead of {a} over {b}{share}; all the rest adds "
        f"{number(found.outside, '+.2f')}.\n\n"
        f"With the region blurred, {says} **{name}**, {percent(float(after[then]))}; before, it "
        f"was {plain(spelled(ready.card.classes[best]))}, {percent(float(before[best]))}."
    )


def _kept_by(ready: Prepared, pair: tuple[int, int]) -> Sufficient | None:
    """The fewest places that keep the first class above the second; None where it is not."""
    try:
        return sufficient(ready, target=pair[0], versus=pair[1])
    except LafeError:
        return None


@guarded
def _enough(photo: Photo, checkpoint: str, pair: tuple[int, int]) -> None:
    st.subheader("What is enough to still be this?", anchor=False)
    model = models.model(checkpoint)
    ready = models.prepared(photo, model)
    found = _kept_by(ready, pair)
    a, b = (plain(spelled(ready.card.classes[i])) for i in pair)
    if found is None:
        st.markdown(f"The photo is not {a} rather than {b}: ask the reverse.")
        return
    sides = two_columns()
    with sides.cell():
        _numbered(photo, checkpoint, found.places, f"The places that keep {a} above {b}, numbered")
    with sides.cell():
        everything = ready.features[-1][0, 0].numel()
        winner = plain(spelled(ready.card.classes[found.winner]))
        st.markdown(
            f"**{len(found.places)} of {everything} places** are enough: their evidence alone, all "
            f"other places left empty, keeps {a} above {b}. No smaller set does. From these alone "
            f"{winner} wins over all classes."
            if found.places
            else f"None of {everything} places is needed: the classifier leans to {a} by itself."
        )


@guarded
def _lending(photo: Photo, checkpoint: str, pair: tuple[int, int]) -> None:
    st.subheader("What must change to make it the other?", anchor=False)
    ready = models.prepared(photo, models.model(checkpoint))
    others = _others(photo, checkpoint, pair)
    if not others:
        b = plain(spelled(ready.card.classes[pair[1]]))
        st.markdown(
            f"Add a second photo, at best of {b}: then you see which of its places, put into "
            "yours, make the model say so."
        )
        return
    chosen = kept(
        st.selectbox,
        "Lend it places of",
        list(others),
        usual=next(iter(others)),
        key=f"lend-{photo.digest[:8]}-{checkpoint}",
        width=330,
    )
    other = others[chosen]
    lent = models.prepared(other, models.model(checkpoint))
    source, likeliest = (int(p.logits(FULL).argmax()) for p in (ready, lent))
    target = likeliest if likeliest != source else next(i for i in pair[::-1] if i != source)
    try:
        found = swap(ready, lent, target=target)
    except LafeError as error:
        st.markdown(plain(str(error)))
        return
    pasted = paste(ready, lent, found)
    places = [[edit[i] for edit in found.edits] for i in (0, 1)]
    sides = two_columns()
    with sides.cell():
        _numbered(
            photo, checkpoint, places[0], "Your photo: the places that are replaced, numbered"
        )
    with sides.cell():
        _numbered(other, checkpoint, places[1], "The other photo: the places that replace them")
    st.markdown(_edited(ready, found, pasted))
    st.caption(
        "The strongest first. Exact for the two classes, and for the model's last map; a place "
        "there sees far more than the patch it stands on, so a swap need not hold in pixels."
    )


def _others(photo: Photo, checkpoint: str, pair: tuple[int, int]) -> dict[str, Photo]:
    """Photos that can lend places, by what they are called: the visitor's, and one of a class."""
    found = {
        f"Photo {i}: {each.name}": each
        for i, each in enumerate(session.visit().photos, 1)
        if each.digest != photo.digest
    }
    for label in pair[::-1]:
        picture = gallery.reference(checkpoint, label)
        if picture is not None:
            name = spelled(models.cards()[checkpoint].classes[label])
            found[f"A picture of {name}"] = Photo(f"reference {checkpoint} {label}", picture)
    return found


def _edited(ready: Prepared, found: Swap, pasted: Pasted) -> str:
    """Say how many places it takes, and whether that holds in the picture."""
    source, target, winner, then = (
        plain(spelled(ready.card.classes[i]))
        for i in (found.source, found.target, found.winner, pasted.winner)
    )
    everything = ready.features[-1][0, 0].numel()
    p = percent(float(pasted.photo.probabilities(FULL)[pasted.winner]))
    return (
        f"**{len(found.edits)} of {everything} places**, replaced by the other photo's, put "
        f"{target} above {source}; one fewer does not, whichever. {winner} wins over all then.\n\n"
        f"Pasted into the picture, {'it holds' if pasted.survives else 'it does not hold'}: the "
        f"model says **{then}**, {p}."
    )


def _numbered(photo: Photo, checkpoint: str, places: Iterable[Place], alt: str) -> None:
    model = models.model(checkpoint)
    grid = models.prepared(photo, model).features[-1].shape[-1]
    st.image(numbered(models.seen(photo, model), places, grid), width="stretch", alt=alt)
