"""The protocol ``parts``: explanations on pictures of which a part can be taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from tqdm import tqdm

from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.data.names import key, labels_of
from lafe.explain.attribution.methods import METHODS, attribute, available
from lafe.explain.maps import Map
from lafe.explain.prepare import Prepared, prepare
from lafe.measure import records, report
from lafe.measure.faithfulness import part_rows, part_words
from lafe.measure.faithfulness.benchmark import FINENESS
from lafe.measure.faithfulness.curves import at_size, random_map
from lafe.measure.faithfulness.interventions import (
    Answers,
    Benchmark,
    Intervened,
    funnybirds,
    partbirds,
)
from lafe.measure.faithfulness.part_rows import PictureRow, Scores, Shares
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
from lafe.measure.faithfulness.places import Mask, centred_blob, energy, without_floor
from lafe.measure.faithfulness.registry import FaithfulnessError, Order, Protocol, register
from lafe.measure.faithfulness.resume import resume
from lafe.measure.outputs import data_of
from lafe.measure.protocols import PartsFigures, PartsSettings
from lafe.measure.provenance import Provenance

DEFAULT = (
    *("D", "C", "evidence-dis", "evidence-con", "evidence"),
    *("grad-cam-f5", "integrated-gradients"),
)
CONTROLS = ("random", "centre")
Importance = Callable[[int], tuple[dict[str, float], float]]
"""A class -> a map's importance of each part, and the sum of the map."""

CLAIM = ("evidence-dis", "evidence-con", "evidence-backbone", "evidence", "grad-cam-f5", "D", "C")
"""Maps that are asked for one species rather than another; D and C are the same for both."""


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
    if not 1 <= len(methods) <= 10 or len(set(methods)) < len(methods):
        raise FaithfulnessError("Choose one to ten different methods.")
    if unknown := [name for name in methods if name not in METHODS]:
        raise FaithfulnessError(
            f"There is no method {unknown[0]!r}: choose among {', '.join(METHODS)}."
        )
    reasons = available(model)
    if missing := [name for name in methods if reasons[name]]:
        raise FaithfulnessError(f"{METHODS[missing[0]].title} is left out: {reasons[missing[0]]}")
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
        self.claim = [name for name in CLAIM if not available(model)[name]]

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
        found = _Maps(self, prepared, picture.name)
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
            claim=self._claim(found, masks, label, parts),
            logit=logit,
            margin=margin,
            seconds=time.perf_counter() - began,
        )

    def _scores(
        self,
        name: str,
        maps: _Maps,
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

    def _claim(
        self, maps: _Maps, masks: Mapping[str, Mask], label: int, parts: Parts
    ) -> dict[str, Shares]:
        """The places of maps of one species rather than another, over the others of its genus."""
        found: dict[str, list[Shares]] = {}
        for other in self._genus(label):
            differ = frozenset(p for p in parts if self.looks[label][p] != self.looks[other][p])
            places = [_union(masks, some) for some in (differ, parts - differ)]
            found.setdefault("area", []).append(_shares([float(m.mean()) for m in places], places))
            for name in (*self.claim, *CONTROLS):
                heat = without_floor(maps.of(name, label, other))
                lies = [energy(heat, mask) for mask in places]
                found.setdefault(name, []).append(_shares(lies, places))
        return {name: _mean_shares(shares) for name, shares in found.items()}

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


class _Maps:
    """The maps of a picture at the size of the model's input, each made once."""

    def __init__(self, bench: PartBench, photo: Prepared, name: str) -> None:
        self.bench, self.photo = bench, photo
        self.seed = bench.settings.seed + crc32(name.encode())
        self._known: dict[tuple[str, int, int | None], Map] = {}

    def of(self, name: str, target: int, versus: int | None = None) -> Map:
        """A method's map of a class, or of one rather than another."""
        key = name, target, versus
        if key not in self._known:
            self._known[key] = at_size(self._made(*key), self.bench.model.input_size)
        return self._known[key]

    def _made(self, name: str, target: int, versus: int | None) -> Map:
        side = self.photo.features[-1].shape[-1]
        if name == "centre":
            return centred_blob(self.bench.model.input_size)
        if name == "random":  # another one for each question, as of a method that answers by chance
            return random_map(
                side, self.seed + 1000 * target + (0 if versus is None else versus + 1)
            )
        return attribute(
            self.photo,
            method=name,
            target=target,
            versus=versus,
            steps=FINENESS.get(name),
            seed=self.bench.settings.seed,
        ).map


def _union(masks: Mapping[str, Mask], parts: Parts) -> Mask:
    union: Mask = np.logical_or.reduce([masks[part] for part in sorted(parts)])
    return union


def _shares(lies: Sequence[float | None], places: Sequence[Mask]) -> Shares:
    """Shares on parts that differ and on others; None where these are hidden."""
    differing, shared = (
        value if mask.any() else None for value, mask in zip(lies, places, strict=True)
    )
    both = None if differing is None or shared is None else differing + shared
    among = differing / both if differing is not None and both else None
    return Shares(differing, shared, among)


def _mean_shares(shares: Sequence[Shares]) -> Shares:
    def one(name: str) -> float | None:
        known = [v for s in shares if (v := getattr(s, name)) is not None]
        return float(np.mean(known)) if known else None

    return Shares(one("differing"), one("shared"), one("among"))


def _tuple(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)


register(Protocol("parts", "When a part is taken away", False, measure, part_words.findings))
