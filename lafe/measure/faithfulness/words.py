"""What ``lafe faithfulness`` measured as a table and as answers, for the docs and the app."""

from __future__ import annotations

from typing import Any

from lafe.explain.attribution.methods import METHODS
from lafe.measure.faithfulness.places import PARTS
from lafe.render.text import with_interval

_CONTROLS = {
    "centre": "Centred blob",
    "random": "Random, coarse",
    "random-pixels": "Random, by pixel",
}
PLACES = {
    "Peak in box, %": "pointing in box",
    "Peak on a part, %": "pointing in parts",
    "Energy in box, %": "energy in box",
    "Energy on parts, %": "energy in parts",
}
"""The columns that say where a map falls."""

_QUESTIONS = (
    ("Do discriminative maps fall on the bird more than confusable ones do?", "D - C", "box"),
    ("And on its parts?", "D - C", "parts"),
    ("Do they fall on the bird more than Grad-CAM does?", "D - grad-cam-f5", "box"),
    ("And on its parts?", "D - grad-cam-f5", "parts"),
    (
        "Do they fall on the bird more than a blob in the centre of every photo?",
        "D - centre",
        "box",
    ),
)

EXPLAINED = (
    "Deletion: the class's mean probability while the map's places are blurred, the highest first; "
    "low is good.  Insertion: the same while they come back; high is good.  Energy: the share of "
    "the positive values that lies there.  Gini: 0 is even, 1 is one point.  Random weights: rank "
    "correlation with the map of the same model with every weight random; near 1 is a defect.  "
    "Noise: rank correlation under noise of five grey levels.  In brackets: 95 % bootstrap "
    "intervals over photos."
)


def table(report: dict[str, Any]) -> dict[str, list[str]]:
    """Columns of one row a map: its name, and means with their intervals."""
    maps = report["maps"]
    columns = {"Map": [_title(name) for name in maps]}
    for head, key in {"Deletion": "deletion", "Insertion": "insertion"}.items():
        columns[head] = [_three(found[key]) for found in maps.values()]
    for head, key in PLACES.items():
        columns[head] = [
            with_interval(found[key]) if found[key] else "-" for found in maps.values()
        ]
    columns["Gini"] = [_three(found["gini"]) for found in maps.values()]
    columns["Random weights"] = [
        _three(list(found["sanity"].values())[-1]) + (" defect" if found["defect"] else "")
        if "sanity" in found
        else "-"
        for found in maps.values()
    ]
    columns["Noise"] = [_three(found.get("repeatability")) for found in maps.values()]
    return columns


def answers(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Questions that the paper leaves open, each with what the figures say."""
    found = []
    for question, pair, place in _QUESTIONS:
        difference = report["differences"].get(pair, {}).get(f"energy in {place}")
        if difference:
            found.append((question, _compared(report, pair, place, difference)))
    if by_part := _by_part(report, "D"):
        found.append(("Which parts?", by_part))
    return found


def _compared(report: dict[str, Any], pair: str, place: str, difference: dict[str, float]) -> str:
    a, b = pair.split(" - ")
    verdict = "No difference is shown"
    if difference["low"] > 0:
        verdict = "Yes"
    elif difference["high"] < 0:
        verdict = "No, less"
    shares = [100 * report["maps"][name][f"energy in {place}"]["mean"] for name in (a, b)]
    where = "in the box" if place == "box" else "on the parts"
    return (
        f"{verdict}: {shares[0]:.1f} % of the energy of “{_title(a)}” lies {where}, "
        f"{shares[1]:.1f} % of “{_title(b)}”; {with_interval(difference, sign=True)} points.  "
        f"By chance: {100 * report['chance'][place]['mean']:.1f} %."
    )


def _by_part(report: dict[str, Any], name: str) -> str:
    """The parts that a map names the most and the least, as multiples of their area."""
    energy = report["maps"].get(name, {}).get("energy by part", {})
    times = {
        part: energy[part]["mean"] / report["chance"][part]["mean"]
        for part in PARTS
        if energy.get(part) and report["chance"].get(part)
    }
    if not times:
        return ""
    ranked = sorted(times, key=times.__getitem__, reverse=True)
    most, least = (
        ", ".join(f"{part} ({times[part]:.1f})" for part in parts)
        for parts in (ranked[:4], ranked[-3:])
    )
    return (
        f"“{_title(name)}” has the most energy, as a multiple of the part's share of the photo, on "
        f"{most}; the least on {least}."
    )


def _title(name: str) -> str:
    return _CONTROLS.get(name) or METHODS[name].title


def _three(v: dict[str, float] | None) -> str:
    if v is None:
        return "-"
    return f"{v['mean']:.3f} ({v['low']:.3f} to {v['high']:.3f})"
