"""The model's plan as SVG, drawn from a setting of the switches: lying, or upright."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lafe.branches import KINDS as KIND_ORDER, STAGES, Branch, Switches
from lafe.render.labels import KINDS, SIDES

# Of the page that it is in, which may be dark.
BACKBONE, INK, SOFT, FAINT = "var(--backbone)", "var(--ink)", "var(--soft)", "var(--faint)"
GRID, OFF, PAPER = "var(--grid)", "var(--off)", "var(--paper)"
_COLOURS = {"dis": "var(--dis)", "con": "var(--con)"}
_WORDS = {"dis": "var(--dis)", "con": "var(--con-dark)"}
_HINTS = {"dis": "sets a class apart", "con": "shared with look-alikes"}
_STRIDES = {3: 8, 4: 16, 5: 32}
_BOLD = 'font-weight="600"'
_ITALIC = 'font-style="italic"'

Point = tuple[float, float]


@dataclass(frozen=True)
class _Plan:
    """Places of all parts, in px along the flow of the data and across it.

    Sizes are halves, along and across.
    """

    upright: bool
    end: Point
    photo: Point
    stages: dict[int, float]
    stage: Point
    middle: float
    boxes: dict[str, float]
    box: Point
    buses: dict[str, float]
    fuse: Point
    chip: Point
    sum_at: float
    head: float
    titles: dict[str, Point]
    results: dict[str, Point]
    first: Point
    last: Point

    def xy(self, point: Point) -> Point:
        """The x and y of a place, or of a size."""
        along, across = point
        return (across, along) if self.upright else (along, across)


_LYING = _Plan(
    upright=False,
    end=(1080, 420),
    photo=(58, 210),
    stages={3: 290, 4: 495, 5: 700},
    stage=(75, 27),
    middle=210,
    boxes={"dis": 98, "con": 322},
    box=(75, 28),
    buses={"dis": 30, "con": 390},
    fuse=(34, 13),
    chip=(33, 13),
    sum_at=866,
    head=995,
    titles={"dis": (115, 98), "con": (115, 322)},
    results={"dis": (900, 112), "con": (900, 308)},
    first=(155, 196),
    last=(803, 197),
)
_UPRIGHT = _Plan(  # its chips are for fingers
    upright=True,
    end=(704, 360),
    photo=(48, 180),
    stages={3: 192, 4: 330, 5: 468},
    stage=(49, 28),
    middle=180,
    boxes={"dis": 106, "con": 254},
    box=(49, 36),
    buses={"dis": 30, "con": 330},
    fuse=(13, 24),
    chip=(22, 32),
    sum_at=586,
    head=670,
    titles={"dis": (114, 78), "con": (114, 286)},
    results={"dis": (570, 88), "con": (570, 272)},
    first=(92, 216),
    last=(534, 196),
)
_RADIUS = 34
_PHOTO = (38, 38)
_GAP = 2  # between the two chips of a box


def diagram(switches: Switches, *, upright: bool = False) -> str:
    """SVG of the model; what is switched off is drawn hollow and dashed."""
    p = _UPRIGHT if upright else _LYING
    parts = [_backbone(p)]
    parts += [_side(p, side, switches) for side in SIDES]
    parts.append(_head(p))
    label = (
        "How the model is built. Three stages of a backbone; beside each, region and channel "
        "attention find what is discriminative and what is confusable; both are fused over the "
        "stages; the first is added to the backbone's features, the second subtracted. "
        f"On here: {switches}."
    )
    width, height = p.xy(p.end)
    return (
        f'<svg class="diagram {"upright" if upright else "lying"}" '
        f'viewBox="0 0 {width} {height}" role="group" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _text(
    p: _Plan, at: Point, text: str, colour: str = INK, size: int = 14, more: str = "", dy: float = 0
) -> str:
    x, y = p.xy(at)
    return (
        f'<text x="{x}" y="{y + dy}" fill="{colour}" font-size="{size}" text-anchor="middle" '
        f'dominant-baseline="central" {more}>{text}</text>'
    )


def _arrow(p: _Plan, start: Point, end: Point, colour: str, on: bool = True) -> str:
    """A line along x or y with a head at its end."""
    (x0, y0), (x1, y1) = p.xy(start), p.xy(end)
    dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    bx, by = x1 - 7 * dx, y1 - 7 * dy
    head = f"{x1},{y1} {bx + 4 * dy},{by + 4 * dx} {bx - 4 * dy},{by - 4 * dx}"
    return _line(p, [start, p.xy((bx, by))], colour, on) + (
        f'<polygon points="{head}" fill="{colour if on else OFF}"/>'
    )


def _line(p: _Plan, points: list[Point], colour: str, on: bool = True) -> str:
    path = " ".join(f"{x},{y}" for x, y in map(p.xy, points))
    dash = "" if on else ' stroke-dasharray="4 4"'
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour if on else OFF}" '
        f'stroke-width="2"{dash}/>'
    )


def _box(p: _Plan, at: Point, half: Point, colour: str, fill: str, on: bool = True) -> str:
    (x, y), (w, h) = p.xy(at), p.xy(half)
    dash = "" if on else ' stroke-dasharray="4 3"'
    return (
        f'<rect x="{x - w}" y="{y - h}" width="{2 * w}" height="{2 * h}" rx="8" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.6"{dash}/>'
    )


def _backbone(p: _Plan) -> str:
    along, middle = p.photo
    x, y = p.xy(p.photo)
    parts = [
        _box(p, p.photo, _PHOTO, INK, PAPER),
        f'<circle cx="{x - 14}" cy="{y - 15}" r="6" fill="{OFF}"/>',
        f'<path d="M{x - 31} {y + 28} l20 -26 l14 17 l10 -11 l18 20 z" fill="{OFF}"/>',
    ]
    if not p.upright:
        parts.append(_text(p, p.photo, "photo", size=13, dy=54))
    parts.append(_text(p, p.first, "stages 1, 2", BACKBONE, 12))
    before = along + _PHOTO[0]
    for stage in STAGES:
        at = p.stages[stage], middle
        parts.append(_arrow(p, (before, middle), (at[0] - p.stage[0], middle), BACKBONE))
        parts.append(_box(p, at, p.stage, BACKBONE, GRID))
        parts.append(_text(p, at, f"stage {stage}", size=15, more=_BOLD, dy=-8))
        parts.append(_text(p, at, f"stride {_STRIDES[stage]}", BACKBONE, 12, dy=12))
        before = at[0] + p.stage[0]
    parts.append(_arrow(p, (before, middle), (p.sum_at - _RADIUS, middle), BACKBONE))
    parts.append(_text(p, p.last, _sub("f", 5), BACKBONE, 14))
    return "".join(parts)


def _sub(letter: str, index: int) -> str:
    return f'<tspan {_ITALIC}>{letter}</tspan><tspan font-size="10" dy="4">{index}</tspan>'


def _side(p: _Plan, side: str, switches: Switches) -> str:
    colour, text, boxes, bus = _COLOURS[side], _WORDS[side], p.boxes[side], p.buses[side]
    out = 1 if bus > p.middle else -1  # away from the backbone
    parts = []
    reached = False  # whether anything comes along the bus so far
    at: float = 0  # how far the bus is drawn
    for stage in STAGES:
        along = p.stages[stage]
        live = any(branch.stage == stage for branch in switches.side(side))
        inner, outer = boxes - out * p.box[1], boxes + out * p.box[1]
        parts.append(_arrow(p, (along, p.middle + out * p.stage[1]), (along, inner), colour, live))
        parts.append(_box(p, (along, boxes), p.box, colour if live else OFF, PAPER, live))
        for place, kind in zip((-1, 1), KIND_ORDER, strict=True):
            chip = along + place * (p.chip[0] + _GAP), boxes
            parts.append(_chip(p, chip, Branch(stage, kind, side), switches))
        if stage == STAGES[0]:
            parts.append(_line(p, [(along, outer), (along, bus)], colour, live))
            at, reached = along, live
            continue
        parts.append(_line(p, [(at, bus), (along - p.fuse[0], bus)], colour, reached))
        parts.append(_arrow(p, (along, outer), (along, bus - out * p.fuse[1]), colour, live))
        at, reached = along + p.fuse[0], live or reached
        parts.append(_box(p, (along, bus), p.fuse, colour if reached else OFF, PAPER, reached))
        parts.append(_text(p, (along, bus), "fuse", text if reached else FAINT, 13))
    parts.append(_line(p, [(at, bus), (p.sum_at, bus)], colour, reached))
    end = p.sum_at, p.middle + out * _RADIUS
    parts.append(_arrow(p, (p.sum_at, bus), end, colour, reached))
    words = SIDES[side]
    parts.append(_text(p, p.titles[side], words.name.lower(), text, 16, _BOLD, dy=-9))
    parts.append(_text(p, p.titles[side], _HINTS[side], SOFT, 12, dy=11))
    result = f"{words.sign} {words.letter}"
    parts.append(_text(p, p.results[side], result, text if reached else FAINT, 18, _BOLD))
    return "".join(parts)


def _chip(p: _Plan, at: Point, branch: Branch, switches: Switches) -> str:
    """A branch: filled where it is on.  A switch for whoever listens to clicks on it."""
    on, name = switches[branch], KINDS[branch.kind].lower()
    colour = _WORDS[branch.side] if on else OFF
    return (
        f'<g data-switch="{branch}" tabindex="0" role="switch" '
        f'aria-checked="{str(on).lower()}" '
        f'aria-label="{name} attention, {SIDES[branch.side].name.lower()}, stage {branch.stage}">'
        + _box(p, at, p.chip, colour, colour if on else PAPER, on)
        + _text(p, at, name, PAPER if on else FAINT, 13)
        + "</g>"
    )


def _head(p: _Plan) -> str:
    at = p.sum_at, p.middle
    x, y = p.xy(at)
    head, half = (p.head, p.middle), p.xy((59, 27))  # words lie in both
    return "".join(
        [
            f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="{PAPER}" stroke="{INK}" '
            'stroke-width="1.8"/>',
            _text(p, at, _sub("F", 5), size=18, dy=-2),
            _arrow(p, (p.sum_at + _RADIUS, p.middle), (head[0] - half[0], p.middle), INK),
            _box(p, head, half, INK, INK),
            _text(p, head, "pooled, linear", PAPER, 13, dy=-8),
            _text(p, head, "class scores", PAPER, 13, dy=10),
        ]
    )
