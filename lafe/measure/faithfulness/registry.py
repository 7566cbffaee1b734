"""The kind of thing a protocol is; each is registered where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.explain.attribution.methods import METHODS, available
from lafe.measure.provenance import Provenance


class FaithfulnessError(LafeError):
    """Maps that cannot be measured, or figures that do not belong together."""


@dataclass(frozen=True)
class Order:
    """An order to measure, as ``lafe faithfulness`` is given it.

    Attributes:
        checkpoint: name or folder.
        data: folder of the test photos, or its parent; None for a protocol that draws its own.
        photos: how many of them; None for as many as the protocol takes.
        methods: of attribution; None for those that the protocol compares.
        runs: folder of the figures a photo, from which a run that was cut goes on.
        out: folder of ``report.json``; None for the checkpoint's folder.
        device: of torch.
        bfloat16: whether passes that are counted in thousands may be in half precision.
    """

    checkpoint: str | Path
    data: str | Path | None = None
    photos: int | None = None
    methods: tuple[str, ...] | None = None
    runs: str | Path = "runs"
    out: str | Path | None = None
    device: str = "cpu"
    bfloat16: bool = True


@dataclass(frozen=True)
class Table:
    """Columns of one row a map, whose names are in the first column, and what they say."""

    columns: Mapping[str, Sequence[str]]
    explained: str
    lead: str = ""


@dataclass(frozen=True)
class Findings:
    """The findings of a protocol, as the docs and the app show it.

    Attributes:
        answers: questions, each with what the figures say.
        tables: the figures.
        counted: of what, and how long it took.
        source: the command that wrote them, and when.
    """

    answers: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    counted: str
    source: Provenance


@dataclass(frozen=True)
class Protocol:
    """A way to measure explanations.

    Attributes:
        name: a field of :class:`lafe.measure.protocols.Protocols`, which its record is written to.
        title: a heading.
        needs_data: whether it needs the folder of a data set.
        measure: measures, writes the report, and returns the record.
        findings: a record in words and tables.
    """

    name: str
    title: str
    needs_data: bool
    measure: Callable[[Order], Any]
    findings: Callable[[Any], Findings]


REGISTERED: dict[str, Protocol] = {}


def register(protocol: Protocol) -> None:
    """Add a protocol under its name."""
    REGISTERED[protocol.name] = protocol


def require_methods(model: Trained, methods: Sequence[str]) -> None:
    """Check the methods that are to be measured before any work.

    Raises:
        FaithfulnessError: none, more than ten, one twice, an unknown one, or one that this model
            lacks something for.
    """
    if not 1 <= len(methods) <= 10 or len(set(methods)) < len(methods):
        raise FaithfulnessError("Choose one to ten different methods.")
    require_known(model, methods)


def require_known(model: Trained, methods: Sequence[str]) -> None:
    """Check that there are methods of these names, and that none is left out for the model.

    Raises:
        FaithfulnessError: an unknown one, or one that this model lacks something for.
    """
    if unknown := [name for name in methods if name not in METHODS]:
        raise FaithfulnessError(
            f"There is no method {unknown[0]!r}: choose among {', '.join(METHODS)}."
        )
    reasons = available(model)
    if missing := [name for name in methods if reasons[name]]:
        raise FaithfulnessError(f"{METHODS[missing[0]].title} is left out: {reasons[missing[0]]}")
