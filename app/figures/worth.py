"""What the page "Ablation" says of a photo's table, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import pandas as pd
import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch, Switches
from lafe.explain.ablation import Flip, Table
from lafe.render.labels import listed
from lafe.render.text import number, percent

UNITS = {
    "probability": ("Probability", "points"),
    "centred": ("Centred logit", "logit"),
    "logit": ("Raw logit", "logit"),
}
"""Outputs of a table: what people call them, and their unit."""

DIGITS = {"points": "+.1f", "logit": "+.2f"}
"""How values of a unit are written."""


def written(value: float, unit: str) -> str:
    """A value for people, in one of the units."""
    return number(value, DIGITS[unit])


@dataclass(frozen=True)
class Pair:
    """Two branches and how much more they are worth together than apart."""

    first: Branch
    second: Branch
    value: float


def scaled(values: Tensor, output: str) -> Tensor:
    """Probabilities as percentage points, logits as they are."""
    return 100 * values if output == "probability" else values


def total(table: Table, target: int, output: str) -> float:
    """Full minus none: what all branches are worth together."""
    values = scaled(table.values(target, output), output)
    return float(values[Switches.all().index] - values[Switches.none().index])


def strongest_pairs(table: Table, target: int, output: str, count: int = 5) -> list[Pair]:
    """The pairs of branches that interact most, strongest first; none below 1e-6."""
    values = scaled(table.interactions(target, output), output)
    rows, columns = torch.triu_indices(len(values), len(values), offset=1)
    pairs = [
        Pair(EVERY_BRANCH[i], EVERY_BRANCH[j], float(values[i, j]))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    pairs = [p for p in pairs if abs(p.value) > 1e-6]
    return sorted(pairs, key=lambda p: -abs(p.value))[:count]


def flip_text(flip: Flip, classes: list[str]) -> str:
    """One smallest flip as a sentence."""
    return (
        f"Without {listed(flip.off)} this becomes {classes[flip.prediction]} "
        f"({percent(flip.probability)})."
    )


def csv(frame: pd.DataFrame) -> bytes:
    """The table as CSV."""
    return frame.to_csv().encode()


def parquet(frame: pd.DataFrame) -> bytes:
    """The table as Parquet."""
    out = BytesIO()
    frame.to_parquet(out)
    return out.getvalue()
