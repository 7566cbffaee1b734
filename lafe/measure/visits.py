"""Waiting times of the app's visitors, as ``scripts/soak.py`` measures them in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median and 95th percentile of ``count`` values."""

    median: float
    p95: float
    count: int


@dataclass(frozen=True)
class Visits:
    """The contents of ``docs/soak.json``.

    Attributes:
        visitors: at once.
        seconds: that they clicked.
        results_checked: against what was computed without the app.
        wrong: what each wrong result was.
        click_to_prediction_ms, page_to_first_prediction_s: None where nobody did it.
        app_memory_kb: by how many uploads it was after.
    """

    visitors: int
    seconds: float
    results_checked: int
    wrong: tuple[str, ...]
    click_to_prediction_ms: Spread | None
    page_to_first_prediction_s: Spread | None
    app_memory_kb: Mapping[str, int]
