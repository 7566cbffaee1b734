"""The page "Look-alikes": why this class and not the next, and training photos of both."""

from __future__ import annotations

import streamlit as st

from lafe.explain.evidence import Evidence, evidence
from lafe.explain.neighbours import copies
from lafe.explain.parts import CENTRE, NEAR, by_part
from lafe.render import sentences
from lafe.render.names import spelled
from lafe.render.pictures import jpeg_url
from lafe.render.text import number, percent

from ..figures import ablation as figures, maps
from ..figures.tiles import legend
from ..state import gallery, models, session
from ..state.session import Photo
from ..widgets.answer import headline
from ..widgets.first import begin
from ..widgets.pair import asked
from ..widgets.parts import chart, guarded, plain, two_columns


@guarded
def page() -> None:
    photo = session.visit().photo
    st.title("Look-alikes", anchor=False)
    if photo is None:
        begin("Which class is your photo taken for, and which one is it nearly taken for?")
        return
    headline(photo)
    _of(photo, session.visit().model or "")


def _of(photo: Photo, checkpoint: str) -> None:
    prepared = models.prepared(photo, models.model(checkpoint))
    pair = asked(photo, checkpoint, "lookalikes")
    if pair is None:
        return
    classes = prepared.card.classes
    a, b = pair
    names = [spelled(name) for name in classes]
    _why(photo, checkpoint, evidence(prepared, target=a, versus=b), names[a], names[b])
    _parts(photo, checkpoint, pair)
    _words(checkpoint, (classes[a], classes[b]))
    _photos(photo, checkpoint, {a: names[a], b: names[b]})


def _why(photo: Photo, checkpoint: str, found: Evidence, a: str, b: str) -> None:
    heat = found.total.cpu().numpy()
    note = "logit of the one minus that of the other, by place"
    total = maps.Layer("Evidence", heat, note, signed=True)
    scale = maps.scale([total])
    sides = two_columns()
    with sides.cell():
        painted = maps.painted(models.seen(photo, models.model(checkpoint)), total, scale, 0.6)
        if painted is not None and scale is not None:
            st.image(
                jpeg_url(painted),
                width="stretch",
                alt=f"Where the photo speaks for {a} against {b}",
            )
            st.html(legend(scale, total.note, (f"for {b}", f"for {a}")))
    with sides.cell():
        chart(
            figures.waterfall(found.steps, "Difference"),
            f"The logit of {a} minus that of {b}, part by part, and the sum",
            "why",
        )
        st.caption(
            f"The logit of {plain(a)} minus that of {plain(b)}, part by part; the parts add up "
            "exactly. Green places and bars to the right speak for the first. It says where the "
            "difference comes from, not what in nature tells the two apart."
        )


def _parts(photo: Photo, checkpoint: str, pair: tuple[int, int]) -> None:
    """The parts of the bird on which the difference lies, where something finds them."""
    locator = models.locator(checkpoint)
    if locator is None:
        return
    found = by_part(
        models.prepared(photo, models.model(checkpoint)), locator, target=pair[0], versus=pair[1]
    )
    st.markdown(f"**By part**: {plain(sentences.by_part(found))}.")
    st.caption(
        "The evidence is exact; its parts are as a small locator sees them. On test photos its "
        f"likeliest place is at most one from the part in {percent(locator.error[NEAR])}; the "
        f"middle of the photo would be in {percent(locator.error[CENTRE])}."
    )


def _words(checkpoint: str, pair: tuple[str, str]) -> None:
    """List what sets the first class apart from the second, where that is known."""
    if words := gallery.differing(checkpoint, *pair):
        a, b = (plain(spelled(name)) for name in pair)
        st.markdown(f"**{a}**, unlike {b}:")
        st.markdown("\n".join(f"- {plain(each)}" for each in words))


def _photos(photo: Photo, checkpoint: str, pair: dict[int, str]) -> None:
    st.subheader("Nearest training photos", anchor=False)
    dataset = gallery.training(checkpoint)
    if dataset is None:
        st.markdown(
            "They are shown where the data set is: start the app with `lafe app --data`, and its "
            "folder. No photo comes with this app."
        )
        return
    found = {
        label: near
        for label in pair
        if (near := gallery.nearest(photo, checkpoint, label)) is not None
    }
    if not found:
        st.markdown(
            f"They are looked through once: run `lafe index {plain(checkpoint)} --data DIR` with "
            "the data set that this model was trained on."
        )
        return
    small = {each: gallery.thumbnail(each.path) for near in found.values() for each in near}
    for label, near in found.items():
        if any(copies(photo.image, small[each]) for each in near):
            st.info(
                f"Your photo is among the training photos of {plain(pair[label])}: the model was "
                "shown the answer, so what it says here is no test of it."
            )
    sides = two_columns()
    for label, near in found.items():
        with sides.cell():
            st.markdown(f"**{plain(pair[label])}**")
            tiles = st.columns(4, gap="small")
            for neighbour, tile in zip(near, tiles, strict=False):
                tile.image(
                    jpeg_url(small[neighbour], gallery.SIDE),
                    caption=number(neighbour.cosine, ".2f"),
                    width="stretch",
                )
    st.caption(
        "Nearest to the full model: the cosine of its pooled features stands below each photo. "
        "What it takes for alike need not look alike to people."
    )
