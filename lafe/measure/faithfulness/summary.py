"""Means with intervals, from the figures of each photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from lafe.measure.bootstrap import Mean, mean
from lafe.measure.faithfulness.places import PARTS
from lafe.measure.faithfulness.stability import UNCHANGED
from lafe.measure.protocols import Curves, CurveSettings, MapFigures
from lafe.measure.provenance import Provenance

CONTROLS = ("centre", "random", "random-pixels")
MEASURES = (
    *("deletion", "insertion", "gini", "pointing in box", "energy in box", "auc in box"),
    *("pointing in parts", "energy in parts", "auc in parts"),
)
PAIRS = (
    *(("D", "C"), ("D", "f5"), ("C", "f5"), ("D", "grad-cam-f5"), ("C", "grad-cam-f5")),
    *(("evidence-dis", "evidence-con"), ("evidence-dis", "grad-cam-f5")),
    *(("evidence", "grad-cam-f5"), ("evidence", "evidence-dis")),
)
"""Pairs of maps that are compared; each is compared with ``centre`` and ``random``, too."""


@dataclass(frozen=True)
class MapRow:
    """One map of one photo.  By place: the box, all parts together, and each part that is seen.

    Attributes:
        energy: None where the map has no positive value above its floor.
        sanity, repeatability: of the photos that they are measured on.
    """

    deletion: float
    insertion: float
    gini: float
    pointing: Mapping[str, float]
    energy: Mapping[str, float | None]
    auc: Mapping[str, float | None]
    sanity: Mapping[str, float] = field(default_factory=dict)
    repeatability: float | None = None

    def value(self, measure: str) -> float | None:
        """One of ``MEASURES``; None where this photo has none."""
        key, _, place = measure.partition(" in ")
        found = getattr(self, key)
        value: float | None = found.get(place) if place else found
        return value


@dataclass(frozen=True)
class PhotoRow:
    """All figures of one photo.

    Attributes:
        photo: its file's name.
        right: whether the predicted class is the true one.
        chance: the share of the photo that each place is.
        maps: by name.
        seconds: that it took.
    """

    photo: str
    right: bool
    chance: Mapping[str, float]
    maps: Mapping[str, MapRow]
    seconds: float


def of(
    rows: Sequence[PhotoRow],
    source: Provenance,
    settings: CurveSettings,
    steps_of_methods: Mapping[str, int],
) -> Curves:
    """Means over photos, with 95 % bootstrap intervals; differences are paired over photos."""
    names = list(rows[0].maps)
    slow = [row for row in rows if row.maps[names[0]].sanity]
    quick = [row for row in rows if not row.maps[names[0]].sanity]
    return Curves(
        source=source,
        split="test",
        settings=settings,
        steps_of_methods=steps_of_methods,
        photos=len(rows),
        right=sum(row.right for row in rows),
        hours=(_seconds(slow) + _seconds(quick)) / 3600,
        stability_photos=len(slow),
        chance={
            place: mean(row.chance.get(place) for row in rows) for place in ("box", "parts", *PARTS)
        },
        maps={name: _map([row.maps[name] for row in rows]) for name in names},
        differences=dict(_differences(rows, names)),
    )


def _seconds(rows: Sequence[PhotoRow]) -> float:
    """Seconds for all photos, each as long as the median one: the machine may have slept."""
    return len(rows) * median(row.seconds for row in rows) if rows else 0.0


def _map(rows: Sequence[MapRow]) -> MapFigures:
    slow = [row for row in rows if row.sanity]
    sanity: dict[str, Mean] = {}
    for group in slow[0].sanity if slow else ():
        found = mean(row.sanity[group] for row in slow)
        assert found is not None
        sanity[group] = found
    return MapFigures(
        measures={measure: mean(row.value(measure) for row in rows) for measure in MEASURES},
        pointing_by_part={part: mean(row.pointing.get(part) for row in rows) for part in PARTS},
        energy_by_part={part: mean(row.energy.get(part) for row in rows) for part in PARTS},
        sanity=sanity,
        defect=bool(slow) and fmean(list(row.sanity.values())[-1] for row in slow) >= UNCHANGED,
        repeatability=mean(row.repeatability for row in slow),
    )


def _differences(
    rows: Sequence[PhotoRow], names: Sequence[str]
) -> Iterator[tuple[str, dict[str, Mean | None]]]:
    pairs = [pair for pair in PAIRS if set(pair) <= set(names)]
    pairs += [(n, c) for n in names if n not in CONTROLS for c in ("centre", "random")]
    for a, b in pairs:
        both = [(row.maps[a], row.maps[b]) for row in rows]
        yield f"{a} - {b}", {measure: mean(_less(both, measure)) for measure in MEASURES}


def _less(pairs: Iterable[tuple[MapRow, MapRow]], measure: str) -> Iterator[float | None]:
    """The first map's figure less the second's, photo by photo."""
    for a, b in pairs:
        p, q = a.value(measure), b.value(measure)
        yield p - q if p is not None and q is not None else None
