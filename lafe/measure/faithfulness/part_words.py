"""The figures of the protocol ``parts`` as tables and answers, for the docs and the app."""

from __future__ import annotations

from collections.abc import Mapping

from lafe.explain.attribution.methods import METHODS
from lafe.measure.bootstrap import Interval, Mean
from lafe.measure.faithfulness.registry import Findings, Table
from lafe.measure.protocols import ClaimMap, PartsFigures, PlaceShare, Reads
from lafe.render.text import number

_CONTROLS = {"random": "Random, coarse", "centre": "Centred blob"}

SCORES = {
    "Accuracy": "accuracy",
    "CSDC": "csdc",
    "Preservation": "preservation",
    "Deletion": "deletion",
    "Distractibility": "distractibility",
    "Background": "background",
    "Single deletion": "single_deletion",
    "Target sensitivity": "target_sensitivity",
    "Mean": "mean",
}
DIMENSIONS = {
    "Completeness": "completeness",
    "Correctness": "correctness",
    "Contrastivity": "contrastivity",
}

PUBLISHED = {
    "Map": "ResNet-50, Input x Gradient (published, other data)",
    **dict(
        zip(
            SCORES,
            (".998", ".735", ".602", ".532", ".544", ".998", ".546", ".806", ".65"),
            strict=True,
        )
    ),
    **dict.fromkeys(DIMENSIONS, "-"),
}
"""Hesse et al., ICCV 2023, of FunnyBirds: other birds, other pictures, another model."""

SCORES_EXPLAINED = (
    "FunnyBirds' scores (Hesse et al., ICCV 2023), from 0 to 1, 1 is best.  CSDC: the map names "
    "parts that suffice to tell the species.  Preservation, deletion: what the map names keeps "
    "the prediction by itself; without it the prediction changes.  Distractibility: the map "
    "leaves out what does not matter.  Single deletion: it ranks parts as the model does.  "
    "Target sensitivity: it asks for another part when asked for another species; D and C are "
    "the same for all species, so they have 0.  Accuracy and background are the model's.  The "
    "last row was published for other data, FunnyBirds: it does not compare.  In brackets: 95 % "
    "bootstrap intervals over pictures."
)
CLAIM_EXPLAINED = (
    "The share of a map's positive values on the parts that set a species apart from another one "
    "of its genus, and on those that both share, next to the area of these parts, which is a "
    "flat map's share.  “Of parts”: of what lies on parts, what lies on those that differ.  Maps "
    "of evidence ask why the one and not the other; D and C are less their floor.  A place of "
    "f_5 is 32 px of the model's input wide, and sees more, so a small part cannot be hit alone."
)
PHOTOS_EXPLAINED = (
    "  On photos a part is a disc around its point, and it differs where most people saw another "
    "look (CUB's class attributes); pairs are the 30 that share most of each other's probability."
)
READS_EXPLAINED = (
    "Mean Shapley values of parts in the exact Shapley values of the twelve switches, in logits: "
    "how much of what a branch is worth hangs on that part.  Of the true species, centred over "
    "all, or over the mean of its genus, where only parts that vary in the genus can count."
)


def findings(found: PartsFigures) -> Findings:
    """Answers and tables, for the docs and the app."""
    tables = []
    if found.maps:
        tables += [Table(scores(found), ""), Table(dimensions(found), SCORES_EXPLAINED)]
    if found.claim:
        of = "a look-alike" if _photos(found) else "another of its genus"
        explained = CLAIM_EXPLAINED + (PHOTOS_EXPLAINED if _photos(found) else "")
        lead = f"Evidence for one species rather than {of}:"
        tables.append(Table(claim(found.claim), explained, lead))
    if found.reads:
        pictures = f"{found.reads.pictures} pictures, each without every set of its parts"
        tables.append(
            Table(reads(found.reads.logit), "", f"Which branch reads which part ({pictures}):")
        )
        tables.append(
            Table(reads(found.reads.margin), READS_EXPLAINED, "The same, within the genus:")
        )
    return Findings(
        answers(found),
        tables,
        f"{found.pictures:,} test pictures of {found.settings.data}, {found.right:,} of them named "
        f"rightly; {found.hours:.1f} hours.",
        found.source,
    )


def _photos(found: PartsFigures) -> bool:
    """True for photos, from which no part can be taken."""
    return not found.maps


def scores(found: PartsFigures) -> dict[str, list[str]]:
    """Columns of one row a map, and of the published one."""
    return _columns(found, SCORES)


def dimensions(found: PartsFigures) -> dict[str, list[str]]:
    """Columns of FunnyBirds' three dimensions of an explanation."""
    return _columns(found, DIMENSIONS, published=False)


def _columns(
    found: PartsFigures, heads: Mapping[str, str], *, published: bool = True
) -> dict[str, list[str]]:
    columns = {"Map": [_title(name) for name in found.maps]}
    for head, field in heads.items():
        columns[head] = [_three(getattr(one, field)) for one in found.maps.values()]
    if published:
        for head, cells in columns.items():
            cells.append(PUBLISHED[head])
    return columns


def claim(maps: Mapping[str, ClaimMap]) -> dict[str, list[str]]:
    """Columns of one row a map: where it lies, and the area of what it should lie on."""
    columns = {"Map": [_title(name) for name in maps]}
    for head, field in {
        "On parts that differ": "differing",
        "On parts shared": "shared",
        "Of parts, on those that differ": "among",
    }.items():
        each = [getattr(one, field) for one in maps.values()]
        columns[f"{head}, %"] = ["-" if s is None else s.share.percent() for s in each]
        columns[f"{head}: area, %"] = [
            "-" if s is None else f"{100 * s.area.mean:.1f}" for s in each
        ]
    return columns


def reads(table: Mapping[str, Mapping[str, Mean | None]]) -> dict[str, list[str]]:
    """Columns of one row a branch, one column a part."""
    columns = {"Branch": list(table)}
    for part in next(iter(table.values())):
        cells = [row[part] for row in table.values()]
        columns[part.capitalize()] = ["-" if v is None else number(v.mean, "+.2f") for v in cells]
    return columns


def answers(found: PartsFigures) -> list[tuple[str, str]]:
    """The paper's claim as questions, each with what the figures say."""
    said = []
    for question, name, field, where in (
        (
            "Does D's evidence for one species rather than another lie on the parts that differ?",
            *("evidence-dis", "differing", "on the parts that differ"),
        ),
        (
            "Does C's lie on the parts that both share?",
            *("evidence-con", "shared", "on the parts that both share"),
        ),
    ):
        one = found.claim.get(name)
        share = None if one is None else getattr(one, field)
        if share is not None:
            said.append((question, _claimed(found, name, field, where, share)))
    if found.reads:
        said.append(("Which branch reads the parts?", _readers(found.reads)))
    return said


def _claimed(found: PartsFigures, name: str, field: str, where: str, share: PlaceShare) -> str:
    rivals: dict[str, PlaceShare] = {
        rival: other
        for rival in ("evidence-backbone", "grad-cam-f5", *_CONTROLS)
        if rival in found.claim and (other := getattr(found.claim[rival], field)) is not None
    }
    verdict = _verdict(share, rivals)
    others = [f"{100 * other.share.mean:.1f} % of {_title(r)}" for r, other in rivals.items()]
    among = found.claim[name].among
    text = (
        f"{verdict}: {share.share.percent()} % of its positive values lie {where}, which are "
        f"{100 * share.area.mean:.1f} % of the picture; next to it {', '.join(others)}."
    )
    if among is not None:
        text += (
            f"  Of what lies on parts, {among.share.percent()} % lies on those that differ: "
            f"{_BESIDE_AREA[_sign(among.more)]} by area, {100 * among.area.mean:.1f} %."
        )
    return text


_BESIDE_AREA = {-1: "less than", 0: "as much as", 1: "more than"}
_VERDICTS = {-1: "No, less than by area", 0: "No, as much as by area"}


def _verdict(share: PlaceShare, rivals: Mapping[str, PlaceShare]) -> str:
    """Yes only where the map beats its area, what knows nothing of the model, and the backbone.

    One beats another where their intervals are apart.
    """
    if (sign := _sign(share.more)) <= 0:
        return _VERDICTS[sign]
    beaten = {rival for rival, other in rivals.items() if share.share.low > other.share.high}
    blind = [rival for rival in _CONTROLS if rival in rivals and rival not in beaten]
    if blind:
        return f"No: more than by area, but no more than the control “{_title(blind[0])}”"
    if "evidence-backbone" in rivals and "evidence-backbone" not in beaten:
        return "No more than the backbone's evidence does, though more than by area"
    return "Yes, more than by area, and more than the backbone's evidence"


def _sign(difference: Interval) -> int:
    return int(difference.low > 0) - int(difference.high < 0)


def _readers(found: Reads) -> str:
    """The branch that reads each part most, within the genus."""
    most = []
    for part in next(iter(found.margin.values())):
        known = {name: row[part] for name, row in found.margin.items() if row[part] is not None}
        if known:
            best = max(known, key=lambda name: known[name].mean)  # type: ignore[union-attr]
            value = known[best]
            assert value is not None
            most.append(f"the {part} {best} ({number(value.mean, '+.2f')} logits)")
    return f"Within a genus, of the twelve, most of all: {'; '.join(most)}."


def _title(name: str) -> str:
    return _CONTROLS.get(name) or METHODS[name].title


def _three(v: Interval | None) -> str:
    return "-" if v is None else v.text(".3f")
