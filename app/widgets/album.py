"""All photos of a visit: a table to sort and to click, and one figure of them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lafe.explain.outcome import change
from lafe.render.comparison import Choice, compare
from lafe.render.names import spelled
from lafe.render.pictures import jpeg_url
from lafe.render.sheet import COLUMNS, TITLES, Row, sheet
from lafe.render.text import duration

from ..state import models, session
from ..state.looks import Look, looks
from ..state.models import ModelError
from ..state.session import Photo, Visit

_THUMB = 96  # px

TYPES = {"PDF": "application/pdf", "PNG": "image/png", "CSV": "text/csv"}


def album(visit: Visit) -> None:
    """List what A and B say of each photo, where there are several."""
    if len(visit.photos) < 2:
        return
    st.subheader(f"All {len(visit.photos)} photos", anchor=False)
    rows = [_row(photo, visit) for photo in visit.photos]
    left_out = set() if len(visit.panels) > 1 else set(_OF_B)
    if not any(photo.truth for photo in visit.photos):
        left_out.add(_TRUTH)
    rows = [{k: v for k, v in row.items() if k not in left_out} for row in rows]
    event = st.dataframe(
        rows,
        hide_index=True,
        key="album",
        on_select="rerun",
        selection_mode="single-row",
        row_height=64,
        height="content",
        column_config={
            "Photo": st.column_config.ImageColumn(width=90),
            "Points moved": st.column_config.NumberColumn(format="%+.1f"),
        },
        alt="A row a photo: what A and B say of it, and by how many points they differ",
    )
    chosen = event["selection"]["rows"]
    if chosen and (digest := visit.photos[chosen[0]].digest) != visit.current:
        if st.session_state.get("album-shown") != (chosen[0], digest):
            st.session_state["album-shown"] = (chosen[0], digest)
            session.change(current=digest)
            st.rerun()  # the sidebar, too
    elif not chosen:
        st.session_state.pop("album-shown", None)
    _figure(visit)


_OF_B, _TRUTH = ("B", "Points moved", "Flipped"), "True class"


def _row(photo: Photo, visit: Visit) -> dict[str, object]:
    row: dict[str, object] = {"Photo": jpeg_url(photo.image, _THUMB)}
    found = [look for look in looks(visit, photo)[:2] if isinstance(look, Look)]
    for letter, look in zip("AB", found, strict=False):
        name = spelled(look.outcome.best)
        row[letter] = name if look.familiar else f"No match; nearest: {name}"
    if len(found) == 2:
        moved = change(found[0].outcome, found[1].outcome)
        row |= {"Points moved": moved.points, "Flipped": moved.flipped}
    # The name last: it may be long, and there is little room on a phone.
    return row | {_TRUTH: spelled(photo.truth) if photo.truth else None, "Name": photo.name}


def _figure(visit: Visit) -> None:
    drawer = st.popover(
        "Figure of all", icon=":material/grid_on:", on_change="rerun", key="figure-of-all"
    )
    with drawer:
        if not drawer.open:
            return
        names = {p.digest: f"{i}. {p.name}" for i, p in enumerate(visit.photos, 1)}
        digests = st.multiselect(
            "Rows", list(names), default=list(names), format_func=names.__getitem__
        )
        columns = st.pills(
            "Maps",
            list(COLUMNS),
            selection_mode="multi",
            default=["evidence"],
            format_func=TITLES.__getitem__,
        )
        if not digests or not columns:
            st.caption("Choose at least one photo and one map.")
            return
        try:
            make = partial(_made, [_job(p, visit) for p in visit.photos if p.digest in digests])
        except ModelError as error:
            st.warning(str(error))
            return
        with st.container(horizontal=True):
            for kind, mime in TYPES.items():
                st.download_button(
                    kind,
                    partial(make, tuple(columns), visit.display.opacity, kind),
                    f"figure.{kind.lower()}",
                    mime,
                    on_click="ignore",
                    key=f"figure-{kind}",
                )
        st.caption(f"Made when you click; {duration(0.3 * len(digests))}.")


Job = tuple[Photo, list[Choice]]


def _job(photo: Photo, visit: Visit) -> Job:
    """Gather what a figure needs of a photo; a download has no session to look it up in."""
    own = photo.checkpoint or visit.checkpoint or ""
    choices = [models.choice(photo, p, p.checkpoint or own) for p in visit.panels[:2]]
    return photo, choices


def _made(jobs: list[Job], columns: tuple[str, ...], opacity: float, kind: str) -> bytes:
    rows = [
        Row(photo.name, compare(photo.image, choices, photo.crop), photo.truth)
        for photo, choices in jobs
    ]
    return sheet(rows, columns, opacity)[f"figure.{kind.lower()}"]
