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
        think: seconds that each looked at an answer before the next click, on average.
        results_checked: against what was computed without the app.
        wrong: what each wrong result was.
        click_to_prediction_ms, page_to_first_prediction_s: None where nobody did it.
        app_memory_kb: by how many uploads it was after, each a median of five readings.
        hostile: files that nobody should send, each refused in a sentence meanwhile.
        restarts: of the server, under a page that stayed open.
        cores: of the machine.
        load: of the machine in the minute before, by others: processes that ran or waited.
    """

    visitors: int
    seconds: float
    results_checked: int
    wrong: tuple[str, ...]
    click_to_prediction_ms: Spread | None
    page_to_first_prediction_s: Spread | None
    app_memory_kb: Mapping[str, int]
    hostile: int = 0
    restarts: int = 0
    cores: int | None = None
    load: float | None = None
    think: float = 0

    @property
    def growth(self) -> float:
        """Share by which memory grew from the first to the last measurement."""
        measured = list(self.app_memory_kb.values())
        return measured[-1] / measured[0] - 1 if measured else 0.0
