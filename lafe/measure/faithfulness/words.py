"""The figures of ``lafe faithfulness`` as a table and as answers, for the docs and the app."""

from __future__ import annotations

from lafe.explain.attribution.methods import METHODS
from lafe.measure.bootstrap import Interval, Mean
from lafe.measure.faithfulness.places import PARTS
from lafe.measure.faithfulness.registry import Findings, Table
from lafe.measure.faithfulness.stability import UNCHANGED
from lafe.measure.protocols import Curves, MapFigures

_CONTROLS = {
    "centre": "Centred blob",
    "random": "Random, coarse",
    "random-pixels": "Random, by pixel",
}
PLACES = {
    "Peak in box, %": "pointing in box",
    "Energy in box, %": "energy in box",
    "AUC of box, %": "auc in box",
    "Peak on a part, %": "pointing in parts",
    "Energy on parts, %": "energy in parts",
    "AUC of parts, %": "auc in parts",
}
"""The columns that say where a map falls."""

_QUESTIONS = (
    ("Do discriminative maps fall on the bird more than confusable ones do?", "D - C", "box"),
    ("And on its parts?", "D - C", "parts"),
    ("Do they fall on the bird more than the backbone's own features do?", "D - f5", "box"),
    ("And on its parts?", "D - f5", "parts"),
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
    "the positive values that lies there, once the map's lowest value is taken away.  AUC: the "
    "chance that a place there is higher than one elsewhere; it knows ranks only, and 50 % is "
    "chance.  Gini: 0 is even, 1 is one point.  Noise: rank correlation under noise of five grey "
    "levels.  In brackets: 95 % bootstrap intervals over photos."
)

_OF_BRANCHES = {name for name, m in METHODS.items() if m.family == "map"} - {"f5", "F5"}

RANDOMISED = (
    "Rank correlation with the map of the same model whose layers are random from the classifier "
    "down to, and with, those of the column's name.  At the last one every weight is random.  From "
    f"{UNCHANGED} on, a map stays the same: a defect there, and for maps of branches already where "
    "these are random."
)


def findings(found: Curves) -> Findings:
    """Answers and tables, for the docs and the app."""
    columns = table(found)
    tables = [
        Table({head: columns[head] for head in columns if head not in PLACES}, ""),
        Table({head: columns[head] for head in ("Map", *PLACES)}, EXPLAINED),
    ]
    if randomised := randomisation(found):
        lead = "Does a map follow the weights, as it must?"
        tables.append(Table(randomised, RANDOMISED, lead))
    return Findings(
        answers(found),
        tables,
        f"{found.photos:,} test photos, {found.stability_photos} for random weights and noise; "
        f"{found.hours:.1f} hours.",
        found.source,
    )


def table(found: Curves) -> dict[str, list[str]]:
    """Columns of one row a map: its name, and means with their intervals."""
    maps = found.maps.values()
    columns = {"Map": [title(name) for name in found.maps]}
    for head, key in {"Deletion": "deletion", "Insertion": "insertion"}.items():
        columns[head] = [_three(one.measures.get(key)) for one in maps]
    for head, key in PLACES.items():
        columns[head] = [_percent(one.measures.get(key)) for one in maps]
    columns["Gini"] = [_three(one.measures.get("gini")) for one in maps]
    columns["Noise"] = [_three(one.repeatability) for one in maps]
    return columns


def randomisation(found: Curves) -> dict[str, list[str]]:
    """Columns of one row a map: how similar it stays as the layers become random, group by group.

    Empty where nothing was randomised.
    """
    rows = {name: one for name, one in found.maps.items() if one.sanity}
    if not rows:
        return {}
    columns = {"Map": [title(name) for name in rows]}
    for group in next(iter(rows.values())).sanity:
        columns[f"to {group}"] = [_three(one.sanity[group]) for one in rows.values()]
    columns["Defect"] = [_defect(name, one) for name, one in rows.items()]
    return columns


def _defect(name: str, one: MapFigures) -> str:
    """The defect of a map in words; features of branches must follow those, not f_5 alone."""
    if one.defect:
        return "the weights do not matter"
    branches = one.sanity.get("branches")
    if name in _OF_BRANCHES and branches and branches.mean >= UNCHANGED:
        return "its branches do not matter"
    return "no"


def answers(found: Curves) -> list[tuple[str, str]]:
    """Questions that the paper leaves open, each with what the figures say."""
    said = []
    for question, pair, place in _QUESTIONS:
        less = found.differences.get(pair, {})
        energy, ranks = less.get(f"energy in {place}"), less.get(f"auc in {place}")
        if energy and ranks:
            said.append((question, _compared(found, pair, place, energy, ranks)))
    if by_part := _by_part(found, "D"):
        said.append(("Which parts?", by_part))
    return said


def _compared(found: Curves, pair: str, place: str, energy: Interval, ranks: Interval) -> str:
    """A yes or a no holds for the energy and for the ranks."""
    a, b = (found.maps[name].measures for name in pair.split(" - "))
    titles = [f"“{title(name)}”" for name in pair.split(" - ")]
    signs = {_sign(energy), _sign(ranks)}
    verdict = _VERDICTS.get(signs.pop(), "") if len(signs) == 1 else "It depends on the measure"
    shares = [_mean(m[f"energy in {place}"]) for m in (a, b)]
    aucs = [_mean(m[f"auc in {place}"]) for m in (a, b)]
    where = "in the box" if place == "box" else "on the parts"
    chance = found.chance[place]
    by_chance = f" (by chance {_mean(chance)} %)" if chance else ""
    return (
        f"{verdict}: {shares[0]} % of the energy of {titles[0]} lies {where}, {shares[1]} % of "
        f"{titles[1]}{by_chance}; {energy.percent(sign=True)} points.  By rank, AUC {aucs[0]} and "
        f"{aucs[1]} %: {ranks.percent(sign=True)} points."
    )


_VERDICTS = {1: "Yes", -1: "No, less", 0: "No difference is shown"}


def _sign(difference: Interval) -> int:
    """1 or -1 where the whole interval lies above or below 0, else 0."""
    return int(difference.low > 0) - int(difference.high < 0)


def _by_part(found: Curves, name: str) -> str:
    """The parts that a map names the most and the least, as multiples of their area."""
    if name not in found.maps:
        return ""
    energies = found.maps[name].energy_by_part
    times = {
        part: energy.mean / chance.mean
        for part in PARTS
        if (energy := energies.get(part)) and (chance := found.chance.get(part))
    }
    if not times:
        return ""
    ranked = sorted(times, key=times.__getitem__, reverse=True)
    most, least = (
        ", ".join(f"{part} ({times[part]:.1f})" for part in parts)
        for parts in (ranked[:4], ranked[-3:])
    )
    return (
        f"“{title(name)}” has the most energy, as a multiple of the part's share of the photo, on "
        f"{most}; the least on {least}."
    )


def title(name: str) -> str:
    """A map's or a control's name, for people."""
    return _CONTROLS.get(name) or METHODS[name].title


def _mean(v: Mean | None) -> str:
    return "-" if v is None else f"{100 * v.mean:.1f}"


def _percent(v: Mean | None) -> str:
    return "-" if v is None else v.percent()


def _three(v: Mean | None) -> str:
    return "-" if v is None else v.text(".3f")
