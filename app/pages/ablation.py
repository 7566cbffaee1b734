"""The page "Ablation": what every branch is worth for one photo, over all 4,096 settings."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.elements.lib.grid_container import GridContainer

from lafe.branches import KINDS, STAGES, Branch, Switches
from lafe.explain.ablation import Table
from lafe.explain.controls import Controls
from lafe.explain.evidence import evidence
from lafe.render import labels
from lafe.render.names import spelled
from lafe.render.text import percent
from lafe.render.units import UNITS, flip_text

from .. import navigation
from ..figures import ablation as figures
from ..state import models, session
from ..state.session import Photo
from ..widgets.answer import headline
from ..widgets.first import begin
from ..widgets.kept import kept
from ..widgets.parts import chart, guarded, plain


@guarded
def page() -> None:
    photo = session.visit().photo
    st.title("What was each branch worth?", anchor=False)
    if photo is None:
        begin(
            "This page evaluates **all 4,096 settings** of the twelve switches, exactly, and says "
            "which branches made the prediction."
        )
        return
    headline(photo)
    _of(photo, session.visit().model or "")


def _of(photo: Photo, checkpoint: str) -> None:
    model = models.model(checkpoint)
    table, classes = models.table(photo, model), [spelled(name) for name in model.card.classes]
    if session.visit().display.raw:
        table = table.raw
    predicted = int(table.predictions()[Switches.all().index])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = kept(
            st.selectbox,
            "Class",
            range(len(classes)),
            usual=predicted,
            format_func=lambda i: classes[i] + (" (predicted)" if i == predicted else ""),
            key=f"target-{photo.digest[:8]}-{checkpoint}",
            width=330,
        )
        output = kept(
            st.segmented_control,
            "Measured in",
            list(UNITS),
            format_func=lambda name: UNITS[name].output,
            usual="probability",
            required=True,
            key="ablation-output",
            help="A centred logit is the logit minus its mean over all classes: a raw logit "
            "carries a part that is common to all.",
        )
    _shapley(table, target, output, classes[target])
    grid = _halves()
    with grid.cell():
        _waterfall(photo, checkpoint, target, classes[target])
    with grid.cell():
        _flips(table, classes)
        _pairs(table, target, output)
    _map(table, checkpoint, classes, target)
    st.caption(
        "Switching a branch off at inference is not training without it: a model that never had "
        "the branch would have learned to do without."
    )


def _halves() -> GridContainer:
    """Two halves beside each other, or below where there is no room."""
    return st.grid(2, min_column_width=360, gap="large")


def _shapley(table: Table, target: int, output: str, name: str) -> None:
    values = table.shapley(target, output).tolist()
    unit = UNITS[output]
    total = unit.text(table.total(target, output))
    st.subheader("Shapley values of the twelve branches", anchor=False)
    grid = _halves()
    with grid.cell():
        chart(
            figures.shapley_grid(values, output),
            f"Shapley values of the twelve branches for {name}, stage by branch",
            "shapley-grid",
        )
        st.caption(
            f"Green branches speak for {plain(name)}, purple ones against it. The twelve add up to "
            f"{total} {unit.name}: full minus plain backbone. They do not say what happens when "
            "one branch goes alone: that depends on the others."
        )
    with grid.cell():
        chart(
            figures.shapley_bars(values, output),
            "The same Shapley values as bars, the largest first",
            "shapley-bars",
        )


def _waterfall(photo: Photo, checkpoint: str, target: int, name: str) -> None:
    st.subheader("How the logit adds up", anchor=False)
    found = evidence(models.prepared(photo, models.model(checkpoint)), target=target, versus="mean")
    chart(
        figures.waterfall(found.steps),
        f"The logit of {name}: bias, backbone, discriminative and confusable part, and their sum",
        "waterfall",
    )
    st.caption(
        f"The centred logit of {plain(name)} under the full setting; its steps add up exactly. A "
        "step says how much a part adds, not whether the model could do without it."
    )


def _flips(table: Table, classes: list[str]) -> None:
    st.subheader("Smallest changes that flip the prediction", anchor=False)
    flips = table.flips()
    if not flips:
        st.markdown("No setting changes this prediction.")
    for flip in flips[:4]:
        st.markdown(f"- {plain(flip_text(flip, classes))}")
    if len(flips) > 4:
        st.caption(f"{len(flips) - 4} more sets of {len(flips[0].off)} do it, too.")


def _pairs(table: Table, target: int, output: str) -> None:
    st.subheader("Strongest interactions", anchor=False)
    unit = UNITS[output]
    rows = [
        f"<li>{p.first} with {p.second}: <b>{unit.text(p.value)}</b> {unit.name}</li>"
        for p in table.strongest_pairs(target, output)
    ]
    st.html(f"<ul>{''.join(rows)}</ul>" if rows else "No two branches interact.")
    st.caption("Above zero, two branches are worth more together than apart; below, they overlap.")


def _map(table: Table, checkpoint: str, classes: Sequence[str], target: int) -> None:
    name = classes[target]
    st.subheader("All 4,096 settings", anchor=False)
    frame = table.to_frame(target)
    frame["class"] = [classes[i] for i in frame["prediction"]]
    grid = _halves()
    picture, fields = grid.cell(), grid.cell()
    with fields:
        chosen = _fields()
        row = frame.loc[chosen.index]
        answer = f"**{plain(row['class'])}** is predicted with {percent(row['confidence'])}"
        if row["class"] != name:
            answer += f"; {plain(name)} has {percent(row['probability'])}"
        st.markdown(f"{answer}.")
        if st.button("Open as panel B", type="primary", icon=":material/compare:"):
            _open(chosen)
        with st.container(horizontal=True):
            st.download_button(
                "Download as CSV",
                lambda: frame.to_csv().encode(),
                f"{checkpoint}-settings.csv",
                "text/csv",
            )
            st.download_button(
                "Download as Parquet",
                frame.to_parquet,
                f"{checkpoint}-settings.parquet",
                "application/vnd.apache.parquet",
            )
    with picture:
        event = chart(
            figures.every_setting(frame, chosen.index),
            "The probability of the class under all 4,096 settings; two fields below choose one "
            "from the keyboard",
            "every-setting",
            on_select="rerun",
            selection_mode="points",
        )
        st.caption(
            "Each square is one setting, and brighter is likelier: click one to open it as panel B "
            "on the page Compare. The 16 columns and rows of a block run through stage 4, then "
            "stage 3. A sharp edge marks a branch that matters; it does not say why."
        )
    points = event["selection"]["points"]
    if points and "customdata" in points[0]:
        _open(Switches.from_index(points[0]["customdata"][0]))


def _fields() -> Switches:
    """The setting as two fields, for the keyboard."""
    chosen = Switches.none()
    for side, words in labels.SIDES.items():
        keys = [Branch(stage, kind, side) for kind in KINDS for stage in STAGES]
        on = st.pills(
            f"{words.name} branches that are on",
            keys,
            selection_mode="multi",
            default=keys,
            format_func=str,
            key=f"ablation-{side}",
            wrap=True,
        )
        for branch in on:
            chosen = chosen.toggled(branch)
    return chosen


def _open(switches: Switches) -> None:
    """Make a setting panel B, and go there."""
    setting = {"switches": switches, "checkpoint": None, "controls": Controls()}
    session.keep(session.visit().with_panel(1, **setting))
    st.switch_page(navigation.to("compare"))
