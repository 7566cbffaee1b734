"""The explanations of the page "Attribution": what is known, and what has still to be computed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from lafe.explain.attribution.methods import METHODS, attribute, available
from lafe.explain.attribution.registry import Attribution, Progress
from lafe.explain.prepare import Prepared
from lafe.measure.faithfulness.curves import Curves, curves, probability, random_map
from lafe.render.text import number

from ..figures.maps import Layer
from . import models
from .session import Panel, Photo

RANDOM = "Random order"
DRAWS = 5
"""Random orders, which make a band."""
CLIPPED = 99
"""Percentile at which the colours of maps of pixels end."""
RANDOMS = tuple(f"{RANDOM} {i}" for i in range(1, DRAWS + 1))
STEPS = 16
"""Equal shares of the pixels that go, or come back."""
MAX_KEPT = 200  # results of one visitor; a map has at most a few hundred kB


@dataclass(frozen=True)
class Asked:
    """A question to one panel: why the class ``target``, or why rather than ``versus``?"""

    checkpoint: str
    panel: Panel
    target: int
    versus: int | None = None


@dataclass(frozen=True)
class Job:
    """Something slow that is still to be done; ``run`` tells a progress and keeps the result.

    ``seconds``: about how long it takes, by what a pass through the model took here.
    """

    title: str
    run: Callable[[Progress], None]
    seconds: float


def layer(photo: Photo, asked: Asked, method: str) -> Layer:
    """A method's map; without one where it is left out or was not computed yet."""
    chosen = METHODS[method]
    reason = reason_of(asked, method)
    if reason:
        return Layer(chosen.title, None, f"Left out: {reason}")
    found = explanation(photo, asked, method)
    if found is None:
        return Layer(chosen.title, None, "Not computed yet.")
    note = ""
    if found.gap is not None and found.change is not None:
        change, gap = number(found.change, "+.3g"), number(found.gap, "+.2g")
        note = f"Adds up to {change}, of which it misses {gap}."
    if chosen.slow:  # of pixels: a few of them hold the largest values
        note = f"{note} Colours end at the {CLIPPED}th percentile.".strip()
    percentile = CLIPPED if chosen.slow else 100
    ends = ("against", "for") if found.signed else None
    return Layer(chosen.title, found.map, note, found.signed, ends, percentile)


def reason_of(asked: Asked, method: str) -> str | None:
    """The reason why a method is left out here, or None."""
    model = models.model(asked.checkpoint)
    return available(model, asked.panel.switches, asked.panel.controls)[method]


def explanation(photo: Photo, asked: Asked, method: str) -> Attribution | None:
    """A method's result; None while a slow one was not computed."""
    key = _key(photo, asked, method)
    if key not in _kept() and not METHODS[method].slow:
        _keep(key, _explain(photo, asked, method, None))
    return _kept().get(key)


def measured(photo: Photo, asked: Asked, method: str, against: str) -> Curves | None:
    """Deletion and insertion of a method's map or of ``RANDOM``; None while not computed."""
    return _kept().get(_key(photo, asked, method, against))


def jobs(
    photo: Photo, every: Sequence[Asked], methods: Sequence[str], against: str | None
) -> list[Job]:
    """Missing results: maps of slow methods, then the curves if ``against`` is a baseline."""
    found = []
    for asked in every:
        second = models.seconds_of_a_pass(models.model(asked.checkpoint))
        shown = [method for method in methods if reason_of(asked, method) is None]
        for method in shown:
            if explanation(photo, asked, method) is None:
                chosen = METHODS[method]
                found.append(
                    Job(chosen.title, _map_job(photo, asked, method), second * chosen.passes)
                )
        missing = against is not None and [
            name for name in (*shown, *RANDOMS) if measured(photo, asked, name, against) is None
        ]
        if against is not None and missing:
            run = _curves_job(photo, asked, missing, against)
            found.append(Job("Deletion and insertion", run, second * 2 * STEPS * len(missing)))
    return found


def _map_job(photo: Photo, asked: Asked, method: str) -> Callable[[Progress], None]:
    def run(progress: Progress) -> None:
        _keep(_key(photo, asked, method), _explain(photo, asked, method, progress))

    return run


def _curves_job(
    photo: Photo, asked: Asked, names: Sequence[str], against: str
) -> Callable[[Progress], None]:
    def run(progress: Progress) -> None:
        ready = _prepared(photo, asked)
        heats = {
            name: random_map(ready.features[-1].shape[-1], RANDOMS.index(name))
            if name in RANDOMS
            else _explained(photo, asked, name).map
            for name in names
        }
        score = probability(ready.model, asked.target, asked.panel.switches)
        found = curves(score, ready.x, heats, steps=STEPS, against=against, progress=progress)
        for name, curve in found.items():
            _keep(_key(photo, asked, name, against), curve)

    return run


def _explained(photo: Photo, asked: Asked, method: str) -> Attribution:
    found = explanation(photo, asked, method)
    return _explain(photo, asked, method, None) if found is None else found


def _explain(photo: Photo, asked: Asked, method: str, progress: Progress | None) -> Attribution:
    return attribute(
        _prepared(photo, asked),
        method=method,
        target=asked.target,
        switches=asked.panel.switches,
        versus=asked.versus,
        progress=progress,
    )


def _prepared(photo: Photo, asked: Asked) -> Prepared:
    return models.under(photo, asked.panel, models.model(asked.checkpoint))


def _key(photo: Photo, asked: Asked, *more: str) -> Hashable:
    weights = models.cards()[asked.checkpoint].sha256
    return photo.digest, photo.crop, weights, asked, more


def _kept() -> OrderedDict[Hashable, Any]:
    kept: OrderedDict[Hashable, Any] = st.session_state.setdefault("explained", OrderedDict())
    return kept


def _keep(key: Hashable, value: Any) -> None:
    kept = _kept()
    kept[key] = value
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
