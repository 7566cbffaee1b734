"""The word of a panel, as HTML: quick to draw, and no name is cut."""

from __future__ import annotations

from html import escape

from lafe.explain.outcome import Change, Outcome, change
from lafe.render.labels import LETTERS
from lafe.render.names import spelled
from lafe.render.text import number, percent


def panel_words(
    place: int,
    setting: str,
    outcome: Outcome,
    first: Outcome | None = None,
    truth: str | None = None,
) -> str:
    """The likeliest classes under a setting, and what changed against panel A's, ``first``."""
    lines = [
        f'<div class="setting"><span class="letter">{LETTERS[place]}</span>{escape(setting)}</div>',
        f'<div class="answer">{escape(spelled(outcome.best))}</div>',
    ]
    if first is not None:
        lines.append(_changed(change(first, outcome)))
    if truth is not None:
        lines.append(_truth(outcome, truth))
    return "".join([*lines, top_five(outcome, first, truth)])


def top_five(outcome: Outcome, against: Outcome | None = None, truth: str | None = None) -> str:
    """The five likeliest classes as bars; a tick marks what panel A says of the same class."""
    rows = outcome.top(5)
    name, p = rows[0]
    label = escape(f"Five likeliest classes; first {spelled(name)} with {percent(p)}")
    bars = "".join(_bar(name, p, against, truth) for name, p in rows)
    return f'<ol class="bars" role="figure" aria-label="{label}">{bars}</ol>'


def _bar(name: str, p: float, against: Outcome | None, truth: str | None) -> str:
    known = None if against is None else against.probability(name)
    tick = "" if known is None else f'<s style="left:{100 * known:.2f}%" title="In A"></s>'
    true = name == truth
    return (
        f'<li class="{"true" if true else ""}" data-probability="{p:.7f}">'
        f"<span>{escape(spelled(name))}{' (true)' if true else ''}</span><b>{percent(p)}</b>"
        f'<div><i style="width:{100 * p:.2f}%"></i>{tick}</div></li>'
    )


_TICK = '<span class="tick" title="Where A stands">┃ A</span>'


def _changed(found: Change) -> str:
    """Say what changed against panel A."""
    before = escape(spelled(found.before))
    if found.identical:
        return '<div class="change">Identical to A, to the bit.</div>'
    if found.probability_after is None:
        return f'<div class="change">This model does not know {before}.</div>'
    points = f"{number(found.points or 0, '+.1f')} points"
    if not found.flipped:
        return f'<div class="change">Same class as A, {points}. {_TICK}</div>'
    now = f"rank {found.rank_after} here with {percent(found.probability_after)} ({points})"
    return f'<div class="change flipped">Changed. {before}, first in A, is {now}. {_TICK}</div>'


def _truth(outcome: Outcome, truth: str) -> str:
    """Say where the true class stands."""
    rank, probability = outcome.rank(truth), outcome.probability(truth)
    if rank is None:
        return f'<div class="truth">This model does not know {escape(spelled(truth))}.</div>'
    if rank == 1:
        return '<div class="truth right">✓ This is the true class.</div>'
    return (
        f'<div class="truth">True class {escape(spelled(truth))}: rank {rank} of '
        f"{len(outcome.classes)}, {percent(probability or 0)}.</div>"
    )
