"""The page "Report": what was measured of a checkpoint.  Every figure comes from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from lafe.measure import sweep, words as measured
from lafe.measure.faithfulness import protocols
from lafe.measure.faithfulness.registry import Findings
from lafe.measure.provenance import Provenance
from lafe.measure.report import (
    REPORT,
    Attention,
    Evaluation,
    Slice,
    Worth,
)
from lafe.render.names import spelled
from lafe.render.text import percent

from ..figures import ablation as ablation_figures, report as report_figures
from ..state import models, session
from ..widgets.answer import headline_if_any
from ..widgets.card import model_card, verdict
from ..widgets.parts import chart, guarded, plain, two_columns


@guarded
def page() -> None:
    st.title("What was measured", anchor=False)
    headline_if_any()
    known = models.cards()
    if not known:
        st.markdown("No model is installed here.")
        return
    names = list(known)
    now = session.visit().model
    name = st.selectbox(
        "Model",
        names,
        index=names.index(now) if now in names else 0,
        format_func=models.title,
        key="report-model",
        width=330,
    )
    verdict(known[name])
    report = models.report(name)
    evaluation = report and report.evaluation
    sides = two_columns()
    with sides.cell():
        model_card(name, known[name])
    with sides.cell():
        if evaluation:
            _accuracy(evaluation)
        else:
            st.info("Nothing was measured of this model yet: run `lafe evaluate` on it.")
    if report and report.attention:
        _attention(report.attention)
    if evaluation:
        _branches(evaluation, name, known[name].classes)
        _mistakes(evaluation)
        _unknown(evaluation, known[name].unknown.get("score", ""))
        _source(name, evaluation.source)
    if report and report.faithfulness:
        for protocol, findings in protocols.findings(report.faithfulness):
            _protocol(name, protocol.title, findings)
    _table_four(known[name].data.get("name", ""))


def _source(name: str, source: Provenance) -> None:
    """The origin of the figures above."""
    st.caption(
        f"From `checkpoints/{name}/{REPORT}`, written by `{source.command}` on {source.date}."
    )


@guarded
def _accuracy(evaluation: Evaluation) -> None:
    st.subheader("On test photos", anchor=False)
    full = evaluation.presets["full"]
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Top-1", percent(full.top1), help="Its 95 % interval stands below.", width="content"
        )
        st.metric("Top-5", percent(full.top5), width="content")
        st.metric(
            "Calibration error",
            percent(evaluation.shown_error["full"]),
            help="How far, on average, “how sure” lies from “how often right”.",
            width="content",
        )
    lines = [
        f"{evaluation.photos:,} photos, {evaluation.classes} classes; 95 % interval of top-1 over "
        f"photos: {evaluation.top1_interval.percent()} %."
    ]
    if against := evaluation.against_plain:
        lines.append(
            f"A plain backbone, trained apart, reaches {percent(against.plain_top1)}: the full "
            f"model differs by {against.difference.percent(sign=True)} points."
        )
    st.markdown("  \n".join(lines))
    chart(
        report_figures.reliability(evaluation.shown_reliability),
        "How often the model is right, by how sure it is",
        "reliability",
    )
    st.caption("On the dotted line the model is as often right as it is sure; below, too sure.")


@guarded
def _attention(found: Attention) -> None:
    """Measures of attention: do the gates follow the photo, and does that matter?"""
    st.subheader("With other gates than the photo's", anchor=False)
    sides = two_columns()
    with sides.cell():
        st.table(_dashed(measured.stand_ins(found)))
        st.caption(measured.STAND_INS)
        st.markdown(plain(measured.margins(found)))
    with sides.cell():
        st.table(_dashed(measured.maps(found)))
        st.caption(measured.MAPS)
    with st.expander("The twelve gates"):
        st.table(_dashed(measured.gates(found)))


def _dashed(columns: measured.Columns) -> measured.Columns:
    """A table whose empty cells Markdown does not take for lists."""
    return {
        head: ["\N{EN DASH}" if cell == "-" else cell for cell in cells]
        for head, cells in columns.items()
    }


@guarded
def _unknown(evaluation: Evaluation, chosen: str) -> None:
    """The shares of photos that are called unknown, of its own kind and of others."""
    if not (evaluation.unknown and chosen):
        return
    st.subheader("Photos of what it does not know", anchor=False)
    st.table(measured.unknown(evaluation.unknown, chosen))
    st.caption(measured.about_unknown(evaluation.unknown))


@guarded
def _branches(evaluation: Evaluation, name: str, classes: Sequence[str]) -> None:
    st.subheader("Branches switched off at inference", anchor=False)
    switching = evaluation.switching
    sides = two_columns()
    with sides.cell():
        presets = evaluation.presets
        st.table(
            {
                "Setting": [plain(name.capitalize()) for name in presets],
                "Top-1": [percent(p.top1) for p in presets.values()],
                "Top-5": [percent(p.top5) for p in presets.values()],
                "Calibration error": list(map(percent, evaluation.shown_error.values())),
                "before calibration": [percent(p.ece) for p in presets.values()],
            }
        )
        st.caption(
            "One trained model. Its “plain backbone” is all twelve branches off, not a trained "
            "plain backbone."
        )
        if switching:
            _worth(switching.shapley, name, classes)
    if not switching:
        return
    with sides.cell():
        chart(
            report_figures.without_each(
                {name: off.top1 for name, off in switching.branch_off.items()},
                presets["full"].top1,
            ),
            "What top-1 changes without each of the twelve branches",
            "without-each",
        )
        st.caption("What top-1 changes when one branch alone is off: left, the branch helped.")


def _worth(shapley: Worth, name: str, classes: Sequence[str]) -> None:
    """Mean Shapley values of the branches, over all test photos or those of one class."""
    chosen = st.selectbox(
        "Worth of the branches for",
        [None, *range(len(classes))],
        format_func=lambda i: "All classes" if i is None else spelled(classes[i]),
        key=f"worth-{name}",
        width=330,
    )
    means = shapley.mean if chosen is None else shapley.by_class[chosen]
    chart(
        ablation_figures.shapley_grid(means, "probability"),
        "Mean Shapley values of the twelve branches, stage by branch",
        "mean-shapley",
    )
    st.caption(
        "Mean exact Shapley values, in points of the true class's probability, over "
        + (
            "all test photos. "
            if chosen is None
            else f"the test photos of {plain(spelled(classes[chosen]))}. "
        )
        + "Green helps, purple harms."
    )


@guarded
def _mistakes(evaluation: Evaluation) -> None:
    sides = two_columns()
    switching = evaluation.switching
    with sides.cell():
        st.subheader("Mixed up most often", anchor=False)
        pairs = switching.confused if switching else evaluation.confused
        columns: dict[str, list[str] | list[int]] = {
            "True class": [plain(spelled(p.true)) for p in pairs],
            "Predicted": [plain(spelled(p.predicted)) for p in pairs],
            "Photos": [p.photos for p in pairs],
        }
        if switching:
            columns["Mended without"] = [
                f"{plain(p.branch)} ({p.mended})" if p.branch else "none"
                for p in switching.confused
            ]
        st.table(columns)
        if switching:
            st.caption(
                "The last column: the branch without which the most of these photos come right, "
                "and how many. It was chosen on these photos, so it will mend fewer others."
            )
    with sides.cell():
        _slices(evaluation.slices)


def _slices(found: Sequence[Slice]) -> None:
    st.subheader("Harder photos", anchor=False)
    if not found:
        st.markdown("No subset was told apart.")
        return
    st.table(
        {
            "Subset": [plain(s.name.capitalize()) for s in found],
            "Photos": [s.photos for s in found],
            "Top-1, % (interval)": [s.percent() for s in found],
        }
    )


@guarded
def _protocol(name: str, title: str, found: Findings) -> None:
    """The findings of a protocol."""
    st.subheader(title, anchor=False)
    answers = [f"**{question}** {plain(answer)}" for question, answer in found.answers]
    st.markdown("\n\n".join(answers))
    for table in found.tables:
        if table.lead:
            st.markdown(table.lead)
        _map_table(table.columns)
        if table.explained:
            st.caption(table.explained)
    st.caption(found.counted)
    _source(name, found.source)


def _map_table(columns: Mapping[str, Sequence[str]]) -> None:
    """One row a map; its name stays in view."""
    st.dataframe(
        columns,
        hide_index=True,
        column_config={
            "Map": st.column_config.TextColumn(pinned=True),
            "Defect": st.column_config.TextColumn(width=300),
        },
        height="content",
    )


@guarded
def _table_four(data: str) -> None:
    """The sweeps on the data set that the model was trained on."""
    sweeps = {name: runs for name, runs in models.sweeps().items() if runs[0].recipe.data == data}
    for name, runs in sweeps.items():
        rows = sweep.table(runs)
        st.subheader(sweep.title(rows), anchor=False)
        chart(
            report_figures.table_four(rows, sweep.ROWS),
            "Top-1 of each trained variant, by seed, with the means",
            f"sweep-{name}",
        )
        st.markdown(sweep.verdict(rows))
        st.caption(
            f"A dot is a seed, a bar their mean. Unlike in the paper: {sweep.setting(runs[0])}. "
            f"{sum(row.hours for row in rows):.1f} hours of training. "
            f"From {len(runs)} files `checkpoints/results/{name}-*.json`, written by "
            f"`{sweep.command(name, rows)}`."
        )
