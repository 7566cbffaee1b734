"""The model's plan as SVG, drawn from a setting of the switches."""

from __future__ import annotations

from html import escape

from lafe.branches import STAGES, Branch, Switches
from lafe.render.labels import KINDS, SIDES
from lafe.render.palette import BACKBONE, CON, CON_DARK, DIS, FAINT, GRID, INK, OFF, PAPER, SOFT

_DARK = {DIS: DIS, CON: CON_DARK}

_X = {3: 215, 4: 420, 5: 625}  # left edges of the stages
_WIDTH = 150
_MIDDLE = 210  # of the backbone's row
_STRIDES = {3: 8, 4: 16, 5: 32}


def diagram(switches: Switches) -> str:
    """SVG of the model; what is switched off is drawn hollow and dashed."""
    on = {
        side: {stage: any(b.stage == stage for b in switches.side(side)) for stage in STAGES}
        for side in _SIDES
    }
    parts = [_backbone()]
    for side in _SIDES:
        parts.append(_side(side, switches, on[side]))
    parts.append(_head())
    label = (
        "How the model is built. Three stages of a backbone; beside each, region and channel "
        "attention find what is discriminative and what is confusable; both are fused over the "
        "stages; the first is added to the backbone's features, the second subtracted. "
        f"On here: {switches}."
    )
    return (
        f'<svg class="diagram" viewBox="0 0 1080 420" role="group" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


_SIDES = {"dis": (DIS, 98, 30), "con": (CON, 322, 390)}  # colour, row of the boxes, row of the bus
_HINTS = {"dis": "sets a class apart", "con": "shared with look-alikes"}


def _text(x: float, y: float, text: str, colour: str = INK, size: int = 14, more: str = "") -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" text-anchor="middle" '
        f'dominant-baseline="central" {more}>{text}</text>'
    )


def _arrow(x0: float, y0: float, x1: float, y1: float, colour: str, on: bool = True) -> str:
    """A line along x or y with a head at its end."""
    dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    bx, by = x1 - 7 * dx, y1 - 7 * dy
    head = f"{x1},{y1} {bx + 4 * dy},{by + 4 * dx} {bx - 4 * dy},{by - 4 * dx}"
    return _line([(x0, y0), (bx, by)], colour, on) + (
        f'<polygon points="{head}" fill="{colour if on else OFF}"/>'
    )


def _line(points: list[tuple[float, float]], colour: str, on: bool = True) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    dash = "" if on else ' stroke-dasharray="4 4"'
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour if on else OFF}" '
        f'stroke-width="2"{dash}/>'
    )


def _box(
    x: float, y: float, width: float, height: float, colour: str, fill: str, on: bool = True
) -> str:
    dash = "" if on else ' stroke-dasharray="4 3"'
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.6"{dash}/>'
    )


def _backbone() -> str:
    y = _MIDDLE
    parts = [
        _box(20, y - 38, 76, 76, INK, PAPER),
        f'<circle cx="44" cy="{y - 15}" r="6" fill="{OFF}"/>',
        f'<path d="M27 {y + 28} l20 -26 l14 17 l10 -11 l18 20 z" fill="{OFF}"/>',
        _text(58, y + 54, "photo", size=13),
        _arrow(96, y, _X[3], y, BACKBONE),
        _text(155, y - 14, "stages 1, 2", BACKBONE, 12),
    ]
    for stage in STAGES:
        x = _X[stage]
        parts.append(_box(x, y - 27, _WIDTH, 54, BACKBONE, GRID))
        parts.append(_text(x + _WIDTH / 2, y - 8, f"stage {stage}", size=15, more=_BOLD))
        parts.append(_text(x + _WIDTH / 2, y + 12, f"stride {_STRIDES[stage]}", BACKBONE, 12))
        parts.append(_arrow(x + _WIDTH, y, _X.get(stage + 1, 832), y, BACKBONE))
    parts.append(_text(803, y - 13, _sub("f", 5), BACKBONE, 14))
    return "".join(parts)


_BOLD = 'font-weight="600"'
_ITALIC = 'font-style="italic"'


def _sub(letter: str, index: int) -> str:
    return f'<tspan {_ITALIC}>{letter}</tspan><tspan font-size="10" dy="4">{index}</tspan>'


def _side(side: str, switches: Switches, on: dict[int, bool]) -> str:
    colour, middle, bus = _SIDES[side]
    up = -1 if side == "dis" else 1
    parts = []
    reached = False  # whether anything comes along the bus so far
    for stage in STAGES:
        x, centre = _X[stage], _X[stage] + _WIDTH / 2
        live = on[stage]
        parts.append(_arrow(centre, _MIDDLE + 27 * up, centre, middle - 28 * up, colour, live))
        parts.append(_box(x, middle - 28, _WIDTH, 56, colour if live else OFF, PAPER, live))
        for place, kind in enumerate(KINDS):
            parts.append(_chip(x + 7 + 69 * place, middle, Branch(stage, kind, side), switches))
        if stage == STAGES[0]:
            parts.append(_line([(centre, middle + 28 * up), (centre, bus)], colour, live))
            parts.append(_line([(centre, bus), (_X[4] + 41, bus)], colour, live))
            reached = live
            continue
        fused = live or reached
        parts.append(_arrow(centre, middle + 28 * up, centre, bus - 13 * up, colour, live))
        line = colour if fused else OFF
        parts.append(_box(centre - 34, bus - 13, 68, 26, line, PAPER, fused))
        parts.append(_text(centre, bus, "fuse", colour if fused else FAINT, 13))
        end = _X[5] + 41 if stage == 4 else 866
        parts.append(_line([(centre + 34, bus), (end, bus)], colour, fused))
        reached = fused
    parts.append(_arrow(866, bus, 866, _MIDDLE + 34 * up, colour, reached))
    words = SIDES[side]
    result = f"{words.sign} {words.letter}"
    parts.append(_text(115, middle - 9, words.name.lower(), _DARK[colour], 16, _BOLD))
    parts.append(_text(115, middle + 11, _HINTS[side], SOFT, 12))
    parts.append(
        _text(900, (bus + _MIDDLE) / 2 + 8 * up, result, colour if reached else OFF, 18, _BOLD)
    )
    return "".join(parts)


def _chip(left: float, middle: float, branch: Branch, switches: Switches) -> str:
    """A branch: filled where it is on.  A switch for whoever listens to clicks on it."""
    on, name = switches[branch], KINDS[branch.kind].lower()
    colour = _DARK[_SIDES[branch.side][0]] if on else OFF
    return (
        f'<g data-switch="{branch}" tabindex="0" role="switch" '
        f'aria-checked="{str(on).lower()}" '
        f'aria-label="{name} attention, {SIDES[branch.side].name.lower()}, stage {branch.stage}">'
        + _box(left, middle - 13, 66, 26, colour, colour if on else PAPER, on)
        + _text(left + 33, middle, name, PAPER if on else FAINT, 13)
        + "</g>"
    )


def _head() -> str:
    y = _MIDDLE
    return "".join(
        [
            f'<circle cx="866" cy="{y}" r="34" fill="{PAPER}" stroke="{INK}" stroke-width="1.8"/>',
            _text(866, y - 2, _sub("F", 5), size=18),
            _arrow(900, y, 936, y, INK),
            _box(936, y - 27, 118, 54, INK, INK),
            _text(995, y - 8, "pooled, linear", PAPER, 13),
            _text(995, y + 10, "class scores", PAPER, 13),
        ]
    )
