"""From the figures of each photo to means with intervals, and to answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median
from typing import Any

from lafe.measure.bootstrap import interval
from lafe.measure.faithfulness.places import PARTS
from lafe.measure.faithfulness.stability import UNCHANGED

Row = dict[str, Any]

CONTROLS = ("centre", "random", "random-pixels")
MEASURES = (
    *("deletion", "insertion", "gini", "pointing in box", "energy in box"),
    *("pointing in parts", "energy in parts"),
)
PAIRS = (
    *(("D", "C"), ("D", "grad-cam-f5"), ("C", "grad-cam-f5")),
    *(("evidence-dis", "evidence-con"), ("evidence-dis", "grad-cam-f5")),
    *(("evidence", "grad-cam-f5"), ("evidence", "evidence-dis")),
)
"""Which maps are compared with each other; each is compared with ``centre`` and ``random``, too."""


def of(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over photos, with 95 % bootstrap intervals; differences are paired over photos.

    ``maps``: of each map its measures, its energy on each part, and its stability.
    ``differences``: ``"A - B"`` by measure.  ``chance``: what a flat map gets.
    """
    names = list(rows[0]["maps"])
    slow = [row for row in rows if "repeatability" in row["maps"][names[0]]]
    quick = [row for row in rows if "repeatability" not in row["maps"][names[0]]]
    return {
        "photos": len(rows),
        "right": sum(row["right"] for row in rows),
        "hours": (_seconds(slow) + _seconds(quick)) / 3600,
        "stability_photos": len(slow),
        "chance": {
            place: mean(row["chance"].get(place) for row in rows)
            for place in ("box", "parts", *PARTS)
        },
        "maps": {name: _map(rows, name) for name in names},
        "differences": dict(_differences(rows, names)),
    }


def _seconds(rows: Sequence[Row]) -> float:
    """What photos took, each as long as the median one: the machine may have slept meanwhile."""
    return len(rows) * median(row["seconds"] for row in rows) if rows else 0.0


def _map(rows: Sequence[Row], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {measure: mean(_values(rows, name, measure)) for measure in MEASURES}
    for kind in ("pointing", "energy"):
        found[f"{kind} by part"] = {
            part: mean(row["maps"][name][kind].get(part) for row in rows) for part in PARTS
        }
    stable = [row["maps"][name] for row in rows if "sanity" in row["maps"][name]]
    if stable:
        groups = list(stable[0]["sanity"])
        found["sanity"] = {g: mean(one["sanity"][g] for one in stable) for g in groups}
        found["defect"] = fmean(one["sanity"][groups[-1]] for one in stable) >= UNCHANGED
        found["repeatability"] = mean(one["repeatability"] for one in stable)
    return found


def _values(rows: Iterable[Row], name: str, measure: str) -> Iterator[float | None]:
    """One map's figure of each photo; None where the photo has none."""
    key, _, place = measure.partition(" in ")
    for row in rows:
        found = row["maps"][name][key]
        yield found.get(place) if place else found


def mean(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Mean over the photos that have a value, with its 95 % bootstrap interval."""
    known = [value for value in values if value is not None]
    return {"photos": len(known), **interval(known)} if known else None


def _differences(rows: Sequence[Row], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    pairs = [pair for pair in PAIRS if set(pair) <= set(names)]
    pairs += [(n, c) for n in names if n not in CONTROLS for c in ("centre", "random")]
    for a, b in pairs:
        by_measure = {}
        for measure in MEASURES:
            both = zip(_values(rows, a, measure), _values(rows, b, measure), strict=True)
            by_measure[measure] = mean(
                p - q if p is not None and q is not None else None for p, q in both
            )
        yield f"{a} - {b}", by_measure
