"""Protocols that compare maps by a few figures a photo, in one table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from tqdm import tqdm

from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.attribution.methods import attribute
from lafe.explain.maps import Map
from lafe.explain.prepare import Prepared
from lafe.measure import report
from lafe.measure.bootstrap import Mean, mean
from lafe.measure.faithfulness.curves import random_map
from lafe.measure.faithfulness.places import centred_blob
from lafe.measure.faithfulness.registry import (
    FaithfulnessError,
    Findings,
    Order,
    Protocol,
    Table,
    register,
    require_known,
)
from lafe.measure.faithfulness.words import title
from lafe.measure.outputs import data_of, labelled_as, open_test_split, unseen
from lafe.measure.protocols import Scores
from lafe.measure.provenance import Provenance

DEFAULT = ("D", "C", "f5", "evidence-dis", "evidence-con", "evidence", "grad-cam-f5")

Figure = float | Sequence[float] | None
"""A figure of a photo, or several: one an edit."""

Row = Mapping[str, Mapping[str, Figure]]
"""One photo's figures, by map."""


@dataclass(frozen=True, eq=False)
class Work:
    """A checkpoint, its test photos, and what is asked of them."""

    model: Trained
    test: PhotoDataset
    methods: tuple[str, ...]
    photos: int
    seed: int = 0

    def shuffled(self) -> list[int]:
        """All test photos in an order that says nothing."""
        return [int(i) for i in np.random.default_rng(self.seed).permutation(len(self.test))]

    def maps(self, photo: Prepared, name: str, target: int) -> dict[str, Map]:
        """The maps that are compared, and two that know nothing of the model.

        Args:
            photo: that is explained.
            name: of the photo, which seeds its random map.
            target: the class.
        """
        found = {m: attribute(photo, method=m, target=target).map for m in self.methods}
        coarse = photo.features[-1].shape[-1]
        seed = self.seed + crc32(name.encode())
        return found | {"centre": centred_blob(coarse), "random": random_map(coarse, seed)}


class Column(NamedTuple):
    """A figure as a column: its name in the record, its heading, and whether it is a share."""

    key: str
    head: str
    percent: bool = True


class Published(NamedTuple):
    """A figure that others published, for another model."""

    who: str
    figure: str


@dataclass(frozen=True)
class Comparison:
    """A protocol of one table.

    Attributes:
        name, title: as of :class:`~lafe.measure.faithfulness.registry.Protocol`.
        photos: how many are measured by default.
        settings: numbers that decide what is measured.
        rows: measures one photo after the other.
        columns: of the table.
        explained: what the columns mean, and what differs from the published protocol.
        published: figures of others.
        answer: the question that the table answers, and the answer.
        methods: that are compared by default.
        names: of rows that are no map's.
        what: the rows are.
        of_model: further settings, which are the model's.
    """

    name: str
    title: str
    photos: int
    settings: Mapping[str, float]
    rows: Callable[[Work], Iterable[Row]]
    columns: Sequence[Column]
    explained: str
    answer: Callable[[Scores], tuple[str, str]]
    published: Sequence[Published] = ()
    methods: tuple[str, ...] = DEFAULT
    names: Mapping[str, str] = field(default_factory=dict)
    what: str = "Map"
    of_model: Callable[[Trained], Mapping[str, float]] = lambda _: {}

    def measure(self, order: Order) -> Scores:
        """Measure a checkpoint and write the report; raises as ``lafe faithfulness`` does."""
        assert order.data is not None
        folder = locate(order.checkpoint)
        model = load(folder, order.device)
        recipe = model.card.recipe
        test = unseen(open_test_split(data_of(recipe), order.data), folder, recipe)
        test = labelled_as(model.card, test)
        methods = order.methods or self.methods
        require_known(model, methods)
        target = Path(order.out) if order.out else folder
        report.check(target, model.card.sha256)
        work = Work(model, test, methods, order.photos or self.photos)
        began = time.perf_counter()
        rows = list(tqdm(self.rows(work), f"{model.card.name}, {self.name}", work.photos))
        if not rows:
            raise FaithfulnessError(f"No photo can be measured by the protocol {self.name!r}.")
        found = Scores(
            source=Provenance.now(
                f"lafe faithfulness {model.card.name} --protocol {self.name} --data DIR "
                f"--photos {work.photos}"
                + (f" --methods {' '.join(methods)}" if methods != self.methods else "")
            ),
            split="test",
            photos=len(rows),
            hours=(time.perf_counter() - began) / 3600,
            settings={**self.settings, **self.of_model(model)},
            rows={
                name: {
                    c.key: mean(_each(row[name].get(c.key) for row in rows if name in row))
                    for c in self.columns
                }
                for name in dict.fromkeys(name for row in rows for name in row)
            },
        )
        report.update_protocol(target, model.card.name, model.card.sha256, **{self.name: found})
        return found

    def findings(self, found: Scores) -> Findings:
        """Answer and tables, for the docs and the app."""
        columns = {self.what: [self.names.get(name) or title(name) for name in found.rows]}
        for c in self.columns:
            columns[c.head] = [_shown(row.get(c.key), c.percent) for row in found.rows.values()]
        tables = [Table(columns, self.explained)]
        if self.published:
            others = {
                "Published": [each.who for each in self.published],
                "Figures": [each.figure for each in self.published],
            }
            tables.append(Table(others, "Of other models and photos: they are no rivals to beat."))
        counted = f"{found.photos:,} of the test split; {60 * found.hours:.0f} minutes."
        return Findings([self.answer(found)], tables, counted, found.source)


def compare(comparison: Comparison) -> None:
    """Register a comparison as a protocol."""
    c = comparison
    register(Protocol(c.name, c.title, True, c.measure, c.findings))


def _each(figures: Iterable[Figure]) -> Iterator[float | None]:
    for figure in figures:
        yield from figure if isinstance(figure, Sequence) else (figure,)


def _shown(value: Mean | None, percent: bool) -> str:
    if value is None:
        return "-"
    return value.percent() if percent else value.text(".2f")
