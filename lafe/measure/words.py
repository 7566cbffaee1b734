"""The figures of ``lafe evaluate`` as tables and sentences, for the docs and the app."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from lafe.measure.bootstrap import Interval
from lafe.measure.report import Attention, Evaluation, UnknownScore
from lafe.render import labels
from lafe.render.text import number

Columns = dict[str, list[str]]
"""A table: cells by the head of the column."""

RANDOM = "random"


def stand_ins(found: Attention) -> Columns:
    """The cost of taking the photo's gates away, a row each."""
    given = found.stand_ins.values()
    return {
        "Gates": ["learned", *found.stand_ins],
        "Top-1, %": [_percent(found.top1), *(_percent(s.top1) for s in given)],
        "Predictions that change, %": ["-", *(_percent(s.changed) for s in given)],
        "Points lost (interval)": ["-", *(s.cost.percent(sign=True) for s in given)],
    }


STAND_INS = (
    "Mean: over training photos.  Uniform: each gate's own mean at every place or channel.  Other "
    "photo: drawn over all test photos; rescaled: to the mean of the photo's own gate, so that "
    "scale alone does not count.  The last two are rescaled too."
)


def gates(found: Attention) -> Columns:
    """Measures of whether each gate follows the photo, a row a branch."""
    each = found.gates.values()
    return {
        "Gate": list(found.gates),
        "Mean": [f"{g.mean:.2f}" for g in each],
        "Deviation over photos, part of the mean": [f"{g.deviation:.2f}" for g in each],
        "Share of its variance that is the photo's": [f"{g.photo_share:.2f}" for g in each],
    }


def maps(found: Attention) -> Columns:
    """The likeness of maps, a row a pair; the last two say if the weights of branches matter."""
    pairs = {**found.maps, **{f"{s} - {RANDOM} {s}": m for s, m in found.randomised.items()}}
    return {
        "Maps": [pair.replace(" - ", " and ") for pair in pairs],  # nothing is subtracted
        "Rank correlation": [_three(m.spearman) for m in pairs.values()],
        "Overlap of the top fifth": [_three(m.top_fifth) for m in pairs.values()],
    }


MAPS = (
    "Over places, of means over channels, averaged over photos; an overlap of 0.2 is chance.  "
    "“Random”: the same model, its branches and fusions with the weights of before training."
)


def margins(found: Attention) -> str:
    """The shares of the two sides, in sentences."""
    photo = median(gate.photo_share for gate in found.gates.values())
    said = [
        f"Share of the gates' variance that is the photo's, median: {photo:.2f}.",
        "Over the wrong class that is the likeliest with all branches off, D adds "
        f"{_signed(found.margins.D)} to the logit of the true class, and {labels.MINUS}C "
        f"{_signed(found.margins.C)}.",
    ]
    if found.likelihood is not None:
        said.append(
            "Gain in log-likelihood over all branches off, each side with its own temperature: "
            f"{_signed(found.likelihood.gain, 3)}."
        )
    return "  ".join(said)


def presets(found: Evaluation) -> Columns:
    """Accuracy and calibration of every setting."""
    columns = {
        "Setting": list(found.presets),
        "Top-1, %": [_percent(p.top1) for p in found.presets.values()],
        "Top-5, %": [_percent(p.top5) for p in found.presets.values()],
        "ECE, %": [_percent(p.ece) for p in found.presets.values()],
    }
    if known := found.calibration:
        columns["Temperature"] = [
            f"{known.presets[name].temperature:.2f}" for name in found.presets
        ]
        columns["ECE as shown, %"] = [_percent(known.presets[name].ece) for name in found.presets]
    return columns


SCORES = {
    "max_probability": "highest probability",
    "energy": "energy",
    "class_means": "nearest class mean",
}
"""The scores of :data:`lafe.measure.unknown.KINDS`, for people."""
THINGS = {"cub": "birds"}
"""The things on the photos of a data set, where its name does not say it."""


def unknown(compared: Mapping[str, UnknownScore], chosen: str) -> Columns:
    """The scores of the unknown that were compared; the chosen one in bold."""
    every = compared.values()
    columns = {
        "Score": [f"**{SCORES[k]}**" if k == chosen else SCORES[k] for k in compared],
        "Threshold": [number(score.threshold, ".3f") for score in every],
        "Own test photos refused, %": [_percent(score.own_test_refused) for score in every],
    }
    if all(score.left_out is not None for score in every):
        columns["The same, their class left out, %"] = [_percent(s.left_out or 0.0) for s in every]
    for name in compared[chosen].caught:
        columns[f"Photos of {THINGS.get(name, name)} caught, %"] = [
            _percent(s.caught[name]) for s in every
        ]
    return columns


def about_unknown(compared: Mapping[str, UnknownScore]) -> str:
    """Notes on the columns, and on the photos on which a score was chosen."""
    said = [
        "Below its threshold a photo looks like nothing that the model knows; the threshold "
        "accepts 95 % of held-out photos of the model's own kind."
    ]
    if all(score.left_out is not None for score in compared.values()):
        said.append(
            "“Their class left out”: the share of its own test photos that look unknown once the "
            "score knows nothing of their class, as photos of a new class of the same kind would."
        )
    if all(score.choosing is not None for score in compared.values()):
        said.append("The score in bold was chosen on other photos than those of this table.")
    return "  ".join(said)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _three(value: Interval | None) -> str:
    return "-" if value is None else number(value.mean, ".3f")


def _signed(value: Interval, digits: int = 2) -> str:
    return value.text(f"+.{digits}f")
