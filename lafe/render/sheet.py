"""Several photos in one figure: a row a photo, a column a map; and the same as a table.

Vector text and 300 dpi pictures, as in :mod:`lafe.render.figure`; equal inputs, equal bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lafe.errors import LafeError
from lafe.explain.answer import difference
from lafe.explain.maps import Map
from lafe.render.comparison import OPACITY, Comparison, Panel
from lafe.render.figure import DPI, LOCK, STYLE, TEXT, WIDTH
from lafe.render.fonts import family_for
from lafe.render.labels import MINUS
from lafe.render.names import spelled
from lafe.render.overlay import overlay, value_range
from lafe.render.text import percent

FILES = ("figure.pdf", "figure.png", "figure.csv")
MOST = 24
"""Photos in one figure."""

_GAP, _WORDS, _HEAD = 0.06, 0.30, 0.24  # inches
_TALLEST = 1.8  # inches


@dataclass(frozen=True, eq=False)
class Row:
    """One photo: what to call it, under its settings, and what it truly shows, if that is known."""

    name: str
    comparison: Comparison
    truth: str | None = None


def _evidence(panel: Panel) -> Map:
    return panel.evidence.total.cpu().numpy()


def _a_minus_b(row: Row) -> Map | None:
    if len(row.comparison.panels) < 2:
        return None
    a, b = row.comparison.panels[:2]
    if a.prepared.model is not b.prepared.model:
        return None
    target = int(a.probabilities.argmax())
    return difference((a.prepared, a.switches), (b.prepared, b.switches), target).cpu().numpy()


COLUMNS: dict[str, Callable[[Row], Sequence[Map | None]]] = {
    "evidence": lambda row: [_evidence(panel) for panel in row.comparison.panels],
    "difference": lambda row: [_a_minus_b(row)],
    "final": lambda row: [panel.map("final") for panel in row.comparison.panels],
    "dis": lambda row: [panel.map("dis") for panel in row.comparison.panels],
    "con": lambda row: [panel.map("con") for panel in row.comparison.panels],
}
"""The maps that a sheet may show, and how a row gives them; the first three have a sign."""
SIGNED = ("evidence", "difference", "final")
TITLES = {
    "evidence": "Evidence",
    "difference": f"A {MINUS} B",
    "final": "F₅",
    "dis": "D",
    "con": "C",
}


def sheet(
    rows: Sequence[Row], columns: Sequence[str] = ("evidence",), opacity: float = OPACITY
) -> dict[str, bytes]:
    """``figure.pdf``, ``figure.png`` and ``figure.csv`` of some photos.

    A row has one scale for each kind of map; two photos' values are not compared by colour.

    Args:
        rows: one to 24.
        columns: of ``COLUMNS``.
        opacity: of the maps over the photo.

    Raises:
        LafeError: no photo or too many, no column or an unknown one.
    """
    if not 1 <= len(rows) <= MOST:
        raise LafeError(f"A figure holds 1 to {MOST} photos, not {len(rows)}.")
    if not columns or (wrong := [c for c in columns if c not in COLUMNS]):
        asked = wrong[0] if columns else "none"
        raise LafeError(f"A figure shows maps among {', '.join(COLUMNS)}; {asked!r} is not one.")
    with LOCK, mpl.rc_context(STYLE):
        figure = _draw(rows, columns, opacity)
        png, pdf = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(pdf, format="pdf", dpi=DPI, metadata={"CreationDate": None})
    made = pdf.getvalue(), png.getvalue(), table(rows).encode()
    return dict(zip(FILES, made, strict=True))


def table(rows: Sequence[Row]) -> str:
    """CSV: a line a photo and setting, with the likeliest class, the runner-up and the truth."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(
        ["photo", "panel", "model", "switches", "class", "probability", "runner_up",
         "runner_up_probability", "familiar", "true_class"]
    )  # fmt: skip
    for row in rows:
        for panel in row.comparison.panels:
            (name, p), *rest = panel.top(2)
            other, q = rest[0] if rest else ("", 0.0)
            write.writerow(
                [row.name, panel.letter, panel.card.name, str(panel.switches), name, f"{p:.6f}",
                 other, f"{q:.6f}", panel.familiar, row.truth or ""]
            )  # fmt: skip
    return out.getvalue()


def _draw(rows: Sequence[Row], columns: Sequence[str], opacity: float) -> Figure:
    shown = [[(key, COLUMNS[key](row)) for key in columns] for row in rows]
    count = 1 + max(sum(len(maps) for _, maps in row) for row in shown)
    column = (WIDTH - (count - 1) * _GAP) / count
    heights = [
        min(column * p.height / p.width, _TALLEST)
        for p in (row.comparison.panels[0].picture for row in rows)
    ]
    height = _HEAD + sum(heights) + len(rows) * (_WORDS + _GAP)
    figure = Figure((WIDTH, height))
    FigureCanvasAgg(figure)

    def axes(place: int, top: float, tall: float):  # type: ignore[no-untyped-def]
        left = place * (column + _GAP) / WIDTH
        found = figure.add_axes((left, 1 - (top + tall) / height, column / WIDTH, tall / height))
        found.set_axis_off()
        return found

    def head(place: int, words: str) -> None:
        x = (place * (column + _GAP) + column / 2) / WIDTH
        figure.text(x, 1 - 0.6 * _HEAD / height, words, ha="center", va="center", **TEXT)

    top = _HEAD
    for number, (row, maps, tall) in enumerate(zip(rows, shown, heights, strict=True)):
        figure.text(0, 1 - (top + 0.5 * _WORDS) / height, _words(row), va="center", **TEXT)
        top += _WORDS
        picture = row.comparison.panels[0].picture
        axes(0, top, tall).imshow(picture)
        if not number:
            head(0, "Photo")
        place = 1
        for key, found in maps:
            there = [heat for heat in found if heat is not None]
            scale = value_range(there, signed=key in SIGNED) if there else None
            for heat, panel in zip(found, row.comparison.panels, strict=False):
                if not number:
                    alone = len(found) == 1
                    head(place, TITLES[key] if alone else f"{TITLES[key]}, {panel.letter}")
                spot = axes(place, top, tall)
                if heat is None or scale is None:
                    spot.text(0.5, 0.5, "none", ha="center", va="center", **TEXT)
                else:
                    spot.imshow(
                        overlay(picture, heat, opacity=opacity, value_range=scale,
                                signed=key in SIGNED)
                    )  # fmt: skip
                place += 1
        top += tall + _GAP
    return figure


def _words(row: Row) -> str:
    parts = []
    for panel in row.comparison.panels:
        name, p = panel.top(1)[0]
        shown = spelled(name)
        if family_for(shown) is None:
            shown = f"class {panel.probabilities.argmax()}"
        parts.append(f"{panel.letter}: {shown}, {percent(p)}")
    return "    ".join(parts)
