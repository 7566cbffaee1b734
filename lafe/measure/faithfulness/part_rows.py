"""The figures of one picture for the protocol ``parts``, and from many of them the means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

import numpy as np

from lafe.branches import EVERY_BRANCH
from lafe.measure.bootstrap import Interval, Mean, mean
from lafe.measure.faithfulness.parts import (
    THRESHOLDS,
    NothingMeasuredError,
    PartScores,
    PictureScores,
    summarise,
)
from lafe.measure.protocols import (
    ClaimMap,
    PartMap,
    PartsFigures,
    PartsSettings,
    PlaceShare,
    Reads,
)
from lafe.measure.provenance import Provenance

RESAMPLES = 1_000
DIMENSIONS = ("completeness", "correctness", "contrastivity", "mean")
SCORES = tuple(f.name for f in fields(PartScores) if f.name != "threshold")


@dataclass(frozen=True)
class Scores:
    """:class:`~lafe.measure.faithfulness.parts.PictureScores` of one map, as JSON holds them."""

    csdc: tuple[float, ...] | None
    preservation: tuple[float, ...]
    deletion: tuple[float, ...]
    distractibility: tuple[float, ...] | None
    single_deletion: float | None
    target_sensitivity: float | None


@dataclass(frozen=True)
class Shares:
    """The share of a map on the parts that differ, on those that are shared, and among parts.

    Means over the other species of the genus; None where a map or a mask is empty.
    """

    differing: float | None
    shared: float | None
    among: float | None


@dataclass(frozen=True)
class PictureRow:
    """All figures of one picture.

    Attributes:
        picture: its file's name.
        things, relevant_things: beside the bird.
        scores, claim: by name of the map; ``claim`` has the parts' area under ``area``.
        logit, margin: by branch and part, see :class:`lafe.measure.protocols.Reads`.
        seconds: that it took.
    """

    picture: str
    right: bool
    things: int
    relevant_things: int
    scores: Mapping[str, Scores]
    claim: Mapping[str, Shares]
    logit: Mapping[str, Mapping[str, float]]
    margin: Mapping[str, Mapping[str, float]]
    seconds: float


def of(
    rows: Sequence[PictureRow],
    source: Provenance,
    settings: PartsSettings,
    steps_of_methods: Mapping[str, int],
) -> PartsFigures:
    """Means over pictures, with 95 % bootstrap intervals."""
    claimed = [row for row in rows if row.claim]
    names = [name for name in claimed[0].claim if name != "area"] if claimed else []
    quick = [row for row in rows if not row.logit]
    slow = [row for row in rows if row.logit]
    seconds = sum(len(r) * median(row.seconds for row in r) for r in (quick, slow) if r)
    return PartsFigures(
        source=source,
        settings=settings,
        steps_of_methods=steps_of_methods,
        pictures=len(rows),
        right=sum(row.right for row in rows),
        hours=seconds / 3600,
        maps={name: _map(rows, name) for name in rows[0].scores},
        claim={name: _claim(claimed, name) for name in names},
        differences=dict(_differences(claimed, names)),
        reads=_reads(slow) if slow else None,
    )


def _map(rows: Sequence[PictureRow], name: str) -> PartMap:
    pictures = [_picture(row, name) for row in rows]
    try:
        at = summarise(pictures).threshold
    except NothingMeasuredError:
        at = float(THRESHOLDS[0])
    k = int(np.argmin(np.abs(THRESHOLDS - at)))
    values: dict[str, list[float | None]] = {
        "accuracy": [float(row.right) for row in rows],
        "csdc": [None if p.csdc is None else float(p.csdc[k]) for p in pictures],
        "preservation": [float(p.preservation[k]) for p in pictures],
        "deletion": [float(p.deletion[k]) for p in pictures],
        "distractibility": [
            None if p.distractibility is None else float(p.distractibility[k]) for p in pictures
        ],
        "single_deletion": [p.single_deletion for p in pictures],
        "target_sensitivity": [p.target_sensitivity for p in pictures],
    }
    background = [(p.relevant_things, p.things) for p in pictures]
    resampled = _bootstrap(values, background)
    known: dict[str, Mean | None] = {score: mean(values[score]) for score in values}
    dimensions = {name: _interval(resampled[name]) for name in DIMENSIONS}
    return PartMap(
        accuracy=_required(known["accuracy"]),
        preservation=_required(known["preservation"]),
        deletion=_required(known["deletion"]),
        csdc=known["csdc"],
        distractibility=known["distractibility"],
        single_deletion=known["single_deletion"],
        target_sensitivity=known["target_sensitivity"],
        background=_background(background, resampled["background"]),
        completeness=dimensions["completeness"],
        correctness=dimensions["correctness"],
        contrastivity=dimensions["contrastivity"],
        mean=dimensions["mean"],
        threshold=at,
    )


def _picture(row: PictureRow, name: str) -> PictureScores:
    one = row.scores[name]
    return PictureScores(
        right=row.right,
        csdc=None if one.csdc is None else np.array(one.csdc),
        preservation=np.array(one.preservation),
        deletion=np.array(one.deletion),
        distractibility=None if one.distractibility is None else np.array(one.distractibility),
        things=row.things,
        relevant_things=row.relevant_things,
        single_deletion=one.single_deletion,
        target_sensitivity=one.target_sensitivity,
    )


def _bootstrap(
    values: Mapping[str, Sequence[float | None]], background: Sequence[tuple[int, int]]
) -> dict[str, np.ndarray]:
    """Scores and dimensions over all pictures and over resamples, (1 + RESAMPLES,), by name.

    A dimension joins scores over other pictures each, so pictures are resampled, not means.
    """
    n = len(background)
    rng = np.random.default_rng(0)
    drawn = [np.arange(n), *(rng.integers(n, size=n) for _ in range(RESAMPLES))]
    weights = np.stack([np.bincount(d, minlength=n) for d in drawn])  # (1 + RESAMPLES, n)
    found = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, each in values.items():
            column = np.array([np.nan if v is None else v for v in each])
            known = ~np.isnan(column)
            found[name] = weights @ np.where(known, column, 0) / (weights @ known)
        relevant, things = np.array(background).T
        found["background"] = 1 - weights @ relevant / (weights @ things)
    scores = PartScores(**found, threshold=0.0)
    return found | {
        "completeness": scores.completeness,
        "correctness": scores.correctness,
        "contrastivity": scores.contrastivity,
        "mean": (scores.completeness + scores.correctness + scores.contrastivity) / 3,
    }


def _interval(resampled: np.ndarray) -> Interval | None:
    if np.isnan(resampled[0]):
        return None
    low, high = np.nanpercentile(resampled[1:], (2.5, 97.5))
    return Interval(float(resampled[0]), float(low), float(high))


def _background(counts: Sequence[tuple[int, int]], resampled: np.ndarray) -> Mean | None:
    found = _interval(resampled)
    pictures = sum(things > 0 for _, things in counts)
    return None if found is None else Mean(found.mean, found.low, found.high, pictures)


def _claim(rows: Sequence[PictureRow], name: str) -> ClaimMap:
    return ClaimMap(
        *(
            _share([(getattr(r.claim[name], f), getattr(r.claim["area"], f)) for r in rows])
            for f in ("differing", "shared", "among")
        )
    )


def _share(pairs: Sequence[tuple[float | None, float | None]]) -> PlaceShare | None:
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not known:
        return None
    share, area, more = (
        _required(mean(v)) for v in ([a for a, _ in known], [b for _, b in known],
                                     [a - b for a, b in known])
    )  # fmt: skip
    return PlaceShare(share, area, more)


def _differences(
    rows: Sequence[PictureRow], names: Sequence[str]
) -> Iterator[tuple[str, Mean | None]]:
    for a, b in (
        ("evidence-dis", "grad-cam-f5"),
        ("evidence-dis", "evidence-backbone"),
        ("evidence-dis", "evidence-con"),
        ("D", "C"),
    ):
        if {a, b} <= set(names):
            pairs = [(row.claim[a].differing, row.claim[b].differing) for row in rows]
            yield (
                f"{a} - {b}",
                mean(p - q if p is not None and q is not None else None for p, q in pairs),
            )


def _reads(rows: Sequence[PictureRow]) -> Reads:
    parts = list(dict.fromkeys(part for row in rows for part in next(iter(row.logit.values()))))

    def table(of: str) -> dict[str, dict[str, Mean | None]]:
        return {
            str(branch): {
                part: mean(getattr(row, of).get(str(branch), {}).get(part) for row in rows)
                for part in parts
            }
            for branch in EVERY_BRANCH
        }

    return Reads(len(rows), table("logit"), table("margin"))


def _required(found: Mean | None) -> Mean:
    assert found is not None
    return found
