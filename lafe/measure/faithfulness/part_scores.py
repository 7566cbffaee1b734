"""The protocol ``parts``: explanations on pictures of which a part can be taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.data.names import key, labels_of
from lafe.explain.attribution.methods import available
from lafe.explain.prepare import prepare
from lafe.measure import records, report
from lafe.measure.faithfulness import look_alikes, part_rows, part_words
from lafe.measure.faithfulness.benchmark import FINENESS
from lafe.measure.faithfulness.claims import CLAIM, CONTROLS, Maps, claim
from lafe.measure.faithfulness.interventions import (
    Answers,
    Benchmark,
    Intervened,
    funnybirds,
    partbirds,
)
from lafe.measure.faithfulness.part_rows import PictureRow, Scores
from lafe.measure.faithfulness.parts import (
    REACH,
    Parts,
    csdc,
    deletion,
    distractibility,
    expects_contrast,
    important_parts,
    irrelevant,
    minimal_sufficient_sets,
    part_importance,
    preservation,
    rivals,
    single_deletion,
    target_sensitivity,
)
from lafe.measure.faithfulness.places import Mask
from lafe.measure.faithfulness.registry import (
    FaithfulnessError,
    Order,
    Protocol,
    register,
    require_methods,
)
from lafe.measure.faithfulness.resume import resume
from lafe.measure.outputs import data_of
from lafe.measure.protocols import PartsFigures, PartsSettings
from lafe.measure.provenance import Provenance

DEFAULT = (
    *("D", "C", "evidence-dis", "evidence-con", "evidence"),
    *("grad-cam-f5", "integrated-gradients"),
)
Importance = Callable[[int], tuple[dict[str, float], float]]
"""A class -> a map's importance of each part, and the sum of the map."""


def measure(order: Order) -> PartsFigures:
    """Measure a checkpoint of birds whose parts can be taken away; writes ``report.json``.

    PartBirds are drawn here.  Each picture's figures are added to ``RUNS/parts-NAME.jsonl``.

    Raises:
        lafe.CheckpointError, lafe.data.DataError, lafe.measure.report.ReportError: with what to do.
        FaithfulnessError: a model of other data, methods that it does not have, or figures of other
            settings in ``runs``.
    """
    folder = locate(order.checkpoint)
    model = load(folder, order.device).to(memory_format=torch.channels_last)
    if data_of(model.card.recipe) == "cub":
        return _on_photos(model, folder, order)
    methods = DEFAULT if order.methods is None else order.methods
    benchmark = _benchmark(model, order)
    _check(model, methods, benchmark)
    target = Path(order.out) if order.out else folder
    report.check(target, model.card.sha256)
    settings = PartsSettings(
        model.card.sha256, tuple(methods), benchmark.name, bfloat16=order.bfloat16
    )
    count = len(benchmark.pictures)
    file = Path(order.runs) / f"parts-{model.card.name}.jsonl"
    rows = resume(file, settings, PictureRow)
    bench = PartBench(model, settings, benchmark)
    with file.open("a", encoding="utf-8") as lines:
        for place in tqdm(range(len(rows), count), model.card.name, count, initial=len(rows)):
            row = bench.picture(
                benchmark.pictures[place], reads=place % settings.every == settings.every // 2
            )
            rows.append(row)
            lines.write(records.to_text(row) + "\n")
            lines.flush()
    data = "" if order.data is None else " --data DIR"
    chosen = "" if order.methods is None else f" --methods {' '.join(methods)}"
    source = Provenance.now(
        f"lafe faithfulness {model.card.name} --protocol parts{data} --photos {count}{chosen}"
    )
    steps = {name: FINENESS[name] for name in methods if name in FINENESS}
    found = part_rows.of(rows[:count], source, settings, steps)
    report.update_protocol(target, model.card.name, model.card.sha256, parts=found)
    return found


def _on_photos(model: Trained, folder: Path, order: Order) -> PartsFigures:
    """The claim alone: nothing can be taken out of a photo, but people named what differs."""
    if order.data is None:
        raise FaithfulnessError("A model of photos needs --data, the folder of CUB-200-2011.")
    target = Path(order.out) if order.out else folder
    report.check(target, model.card.sha256)
    rows = look_alikes.rows(model, order.data, order.photos)
    settings = PartsSettings(model.card.sha256, (), "CUB-200-2011")
    photos = "" if order.photos is None else f" --photos {order.photos}"
    source = Provenance.now(
        f"lafe faithfulness {model.card.name} --protocol parts --data DIR{photos}"
    )
    found = part_rows.of(rows, source, settings, {})
    report.update_protocol(target, model.card.name, model.card.sha256, parts=found)
    return found


def _benchmark(model: Trained, order: Order) -> Benchmark:
    """The test pictures of the data set that the model was trained on."""
    count = 500 if order.photos is None else order.photos
    if count < 1:
        raise FaithfulnessError(f"At least one picture is measured, not {count}.")
    match data_of(model.card.recipe):
        case "partbirds":
            return partbirds(count, model.card.resize)
        case "funnybirds":
            if order.data is None:
                raise FaithfulnessError("A model of FunnyBirds needs --data, the folder of these.")
            return funnybirds(order.data, count)
        case _:
            raise FaithfulnessError(
                f"The model {model.card.name!r} was trained on photos, and no part can be taken "
                "out of a photo: give a model of PartBirds, such as 'partbirds', or of FunnyBirds."
            )


def _check(model: Trained, methods: Sequence[str], benchmark: Benchmark) -> None:
    require_methods(model, methods)
    if {key(name) for name in model.card.classes} != {key(name) for name in benchmark.classes}:
        raise FaithfulnessError(
            f"The classes of {model.card.name!r} are not those of {benchmark.name}: give a model "
            "that was trained on all of them."
        )


class PartBench:
    """Measures one picture after another."""

    def __init__(self, model: Trained, settings: PartsSettings, benchmark: Benchmark) -> None:
        self.model, self.settings, self.distance = model, settings, benchmark.distance
        # In the order of the model's classes.
        index = labels_of(benchmark.classes)
        self.order = [index[key(name)] for name in model.card.classes]
        self.looks = [benchmark.looks[i] for i in self.order]
        self.reach = max(1, round(REACH * model.input_size / 256))
        self.claim = [*(name for name in CLAIM if not available(model)[name]), *CONTROLS]

    def picture(self, picture: Intervened, *, reads: bool) -> PictureRow:
        """All figures of one picture."""
        began = time.perf_counter()
        answers = Answers(self.model, picture, bfloat16=self.settings.bfloat16)
        label = self.order.index(picture.label)
        parts, things = frozenset(picture.parts), frozenset(picture.things)
        singles = {name: frozenset({name}) for name in (*picture.parts, *picture.things)}
        answers.ask([frozenset(), *singles.values()])
        without = {name: float(answers.logits(one)[label]) for name, one in singles.items()}
        whole = answers.logits()
        useless = irrelevant(float(whole[label]), without)
        prepared = prepare(self.model, answers.input())
        masks = answers.masks()
        found = Maps(prepared, picture.name, self.settings.seed)
        scores = {
            name: self._scores(name, found, answers, masks, label, parts, without, useless)
            for name in (*self.settings.methods, *CONTROLS)
        }
        logit, margin = self._reads(answers, label) if reads else ({}, {})
        return PictureRow(
            picture=picture.name,
            right=int(whole.argmax()) == label,
            things=len(things),
            relevant_things=len(things - useless),
            scores=scores,
            claim=claim(
                found,
                {part: masks[part] for part in picture.parts},
                self.claim,
                label,
                {other: self._differing(label, other) for other in self._genus(label)},
            ),
            logit=logit,
            margin=margin,
            seconds=time.perf_counter() - began,
        )

    def _scores(
        self,
        name: str,
        maps: Maps,
        answers: Answers,
        masks: Mapping[str, Mask],
        label: int,
        parts: Parts,
        without: Mapping[str, float],
        useless: Parts,
    ) -> Scores:
        whole = answers.logits()
        predicted = int(whole.argmax())

        def importance(target: int) -> tuple[dict[str, float], float]:
            heat = maps.of(name, target)
            return part_importance(heat, masks, self.reach), float(heat.sum())

        of_label, total = importance(label)
        of_parts = {part: value for part, value in of_label.items() if part in parts}
        important = important_parts(of_parts, total)
        with_things = important_parts(of_label, total)
        of_predicted, sum_predicted = (
            (of_label, total) if predicted == label else importance(predicted)
        )
        kept = important_parts({p: v for p, v in of_predicted.items() if p in parts}, sum_predicted)
        answers.ask([*(parts - each for each in kept), *kept])
        sure = distractibility(with_things, useless)
        right = predicted == label
        return Scores(
            csdc=_tuple(csdc(important, minimal_sufficient_sets(self.looks, label)))
            if right
            else None,
            preservation=_tuple(preservation(kept, parts, answers.predict)),
            deletion=_tuple(deletion(kept, answers.predict)),
            distractibility=None if sure is None else _tuple(sure),
            single_deletion=single_deletion(
                of_parts,
                float(whole[label]),
                {part: without[part] for part in answers.picture.parts},
            ),
            target_sensitivity=self._sensitivity(label, answers, importance),
        )

    def _sensitivity(self, label: int, answers: Answers, importance: Importance) -> float | None:
        pair = rivals(self.looks, label, self.distance)
        if pair is None:
            return None
        answers.ask([pair.of_first, pair.of_second])
        first, second = (
            answers.logits(taken)[[pair.first, pair.second]].tolist()
            for taken in (pair.of_first, pair.of_second)
        )
        if not expects_contrast(tuple(first), tuple(second)):
            return None
        return target_sensitivity(pair, importance(pair.first)[0], importance(pair.second)[0])

    def _differing(self, a: int, b: int) -> Parts:
        return frozenset(p for p in self.looks[a] if self.looks[a][p] != self.looks[b][p])

    def _genus(self, label: int) -> list[int]:
        """The other classes that share most parts with one: in PartBirds, its genus."""
        shared = [
            sum(look == self.looks[label][part] for part, look in looks.items())
            for looks in self.looks
        ]
        return [i for i, n in enumerate(shared) if i != label and n >= len(self.looks[label]) - 2]

    def _reads(
        self, answers: Answers, label: int
    ) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
        classes = len(self.looks)
        own = torch.zeros(classes, dtype=torch.float64)
        own[label] = 1
        genus = torch.zeros(classes, dtype=torch.float64)
        others = self._genus(label)
        genus[others] = 1 / max(len(others), 1)
        logit, margin = answers.reads(torch.stack([own - 1 / classes, own - genus], 1))
        varied = {
            part
            for part in answers.picture.parts
            if any(self.looks[i][part] != self.looks[label][part] for i in others)
        }

        def table(values: torch.Tensor, parts: Sequence[str]) -> dict[str, dict[str, float]]:
            each = {p: answers.picture.parts.index(p) for p in parts}
            return {
                str(branch): {p: float(values[b, i]) for p, i in each.items()}
                for b, branch in enumerate(EVERY_BRANCH)
            }

        kept = [part for part in answers.picture.parts if part in varied]
        return table(logit, answers.picture.parts), table(margin, kept)


def _tuple(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)


register(Protocol("parts", "When a part is taken away", False, measure, part_words.findings))
