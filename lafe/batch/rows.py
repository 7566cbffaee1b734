"""The columns of a row: decided here, for every command, every file and every worker."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Protocol

import torch
from torch import Tensor

from lafe.batch.ahead import Read
from lafe.batch.jobs import Job
from lafe.batch.look import Looked, Precision, look, reduced
from lafe.branches import EVERY_BRANCH, FULL, SIDES, Switches
from lafe.checkpoints.trained import Trained
from lafe.data.photo import WHOLE, Box
from lafe.explain.ablation import Table, factorial
from lafe.explain.classes import index_of
from lafe.explain.prepare import Prepared
from lafe.explain.probabilities import probabilities
from lafe.explain.unknown import card_scores

Row = dict[str, Any]
"""A photo's answers, by column; None where it does not apply."""

TERMS = ("backbone", "dis", "con")
"""The maps of evidence that add up, as in :class:`lafe.explain.evidence.Evidence`."""

_STEM = 40
"""Characters of a file's name that its folder keeps."""


@dataclass(frozen=True, eq=False)
class Said:
    """A photo's row and, where they are asked for, its maps.

    Attributes:
        job: the photo.
        row: by column.
        maps: evidence for the row's class under setting A, (3, H_5, W_5) float32 in the order of
            ``TERMS``; with ``bias`` they add up to the class's logit.
        bias: of the class.
        photo: what is known of it, where more is asked of it than a row.
    """

    job: Job
    row: Row
    maps: Tensor | None = None
    bias: float = 0.0
    photo: Prepared | None = None


class Question(Protocol):
    """One question that a command asks of each photo."""

    @property
    def precision(self) -> Precision:
        """The precision of the pass."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of a row and the kind of each: text, number, flag, top, shapley or flips."""

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides a row beside the checkpoint, for JSON."""

    def answer(self, looked: Looked, jobs: Sequence[Job]) -> list[Said]:
        """The answers for each photo of a batch."""


@dataclass(frozen=True)
class Predictions:
    """The class of each photo under a setting, or under two.

    Attributes:
        switches: setting A.
        versus: setting B, if there is one.
        among: the only classes that are possible, by name; all by default.
        top: how many of the likeliest classes are listed, if any.
        table: also Shapley values of the branches for the row's class, and flips.
        maps: also maps of evidence for the row's class under A.
        precision: of the pass.
    """

    switches: Switches = FULL
    versus: Switches | None = None
    among: tuple[str, ...] = ()
    top: int | None = None
    table: bool = False
    maps: bool = False
    precision: Precision = "float32"

    @property
    def columns(self) -> Mapping[str, str]:
        found = {
            "photo": "text",
            "true": "text",
            "switches": "text",
            "class": "text",
            "probability": "number",
            "familiar": "flag",
            "error": "text",
        }
        if self.versus is not None:
            found |= {"b_switches": "text", "b_class": "text", "b_probability": "number"}
        if self.top is not None:
            found["top"] = "top"
        if self.table:
            found |= {"shapley": "shapley", "flips": "flips"}
        return found

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "command": "predict",
            "switches": str(self.switches),
            "versus": None if self.versus is None else str(self.versus),
            "among": list(self.among),
            "top": self.top,
            "table": self.table,
            "maps": self.maps,
            "precision": self.precision,
        }

    def answer(self, looked: Looked, jobs: Sequence[Job]) -> list[Said]:
        model, classes = looked.model, looked.model.card.classes
        among = list({index_of(model, name): None for name in self.among}) or None
        found: dict[str, Tensor] = {}
        for letter, on in (("A", self.switches), ("B", self.versus)):
            if on is not None:
                found[letter] = probabilities(model, looked.logits(on), on, among=among).cpu()
        familiar = _familiar(looked)
        maps = _maps(looked, self.switches, found["A"].argmax(1)) if self.maps else None
        said = []
        for i, job in enumerate(jobs):
            probability, label = found["A"][i].max(0)
            row: Row = {
                "photo": job.name,
                "true": _true(job, classes),
                "switches": str(self.switches),
                "class": classes[int(label)],
                "probability": float(probability),
                "familiar": familiar[i],
                "error": None,
            }
            if self.versus is not None:
                other, its_label = found["B"][i].max(0)
                row["b_switches"] = str(self.versus)
                row["b_class"], row["b_probability"] = classes[int(its_label)], float(other)
            if self.top is not None:
                row["top"] = _top(found["A"][i], classes, min(self.top, len(among or classes)))
            if self.table:
                table = factorial(looked.photo(i))
                row["shapley"] = _shapley(table, int(label), "probability")
                row["flips"] = _flips(table, classes)
            bias = float(model.classifier.bias[label])
            said.append(Said(job, row) if maps is None else Said(job, row, maps[i], bias))
        return said


@dataclass(frozen=True)
class Explanations:
    """The predictions of each photo, and the folder that holds its figure, page and numbers.

    Attributes:
        compared: the settings, of which the first two are in the row.
        box: the part of the photo that is looked at.
        precision: of the pass.
    """

    compared: tuple[Switches, ...]
    box: Box = WHOLE
    precision: Precision = "float32"

    @property
    def _predictions(self) -> Predictions:
        a, b = (*self.compared[:2], None)[:2]
        assert a is not None
        return Predictions(a, b, precision=self.precision)

    @property
    def columns(self) -> Mapping[str, str]:
        return {**self._predictions.columns, "folder": "text"}

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "command": "explain",
            "compared": list(map(str, self.compared)),
            "box": list(self.box),
            "precision": self.precision,
        }

    def answer(self, looked: Looked, jobs: Sequence[Job]) -> list[Said]:
        return [
            replace(said, row=said.row | {"folder": folder_of(said.job)}, photo=looked.photo(i))
            for i, said in enumerate(self._predictions.answer(looked, jobs))
        ]


def folder_of(job: Job) -> str:
    """The name of a photo's own folder: what it is called, and a digest of its whole name."""
    stem = re.sub(r"[^\w.-]+", "_", PurePath(job.name).stem, flags=re.ASCII)[:_STEM]
    return f"{stem}-{hashlib.sha256(os.fsencode(job.name)).hexdigest()[:12]}"


@dataclass(frozen=True)
class Ablations:
    """The worth of each branch for the class of each photo, exactly, and the smallest flips.

    Attributes:
        output: one of :data:`lafe.explain.ablation.OUTPUTS`.
        precision: of the pass.
    """

    output: str = "probability"
    precision: Precision = "float32"

    @property
    def columns(self) -> Mapping[str, str]:
        return {
            "photo": "text",
            "true": "text",
            "class": "text",
            "output": "text",
            "calibrated": "flag",
            "full": "number",
            "none": "number",
            "shapley": "shapley",
            "flips": "flips",
            "error": "text",
        }

    @property
    def settings(self) -> dict[str, Any]:
        return {"command": "ablate", "output": self.output, "precision": self.precision}

    def answer(self, looked: Looked, jobs: Sequence[Job]) -> list[Said]:
        classes = looked.model.card.classes
        return [
            Said(job, self._row(job, factorial(looked.photo(i)), classes))
            for i, job in enumerate(jobs)
        ]

    def _row(self, job: Job, table: Table, classes: Sequence[str]) -> Row:
        target = int(table.predictions()[-1])
        values = table.values(target, self.output)
        return {
            "photo": job.name,
            "true": _true(job, classes),
            "class": classes[target],
            "output": self.output,
            "calibrated": table.temperatures is not None,
            "full": float(values[Switches.all().index]),
            "none": float(values[Switches.none().index]),
            "shapley": _shapley(table, target, self.output),
            "flips": _flips(table, classes),
            "error": None,
        }


@torch.no_grad()
def rows(model: Trained, question: Question, batch: Sequence[Read]) -> list[Said]:
    """The answers for a batch, in its order; a photo that cannot be read is a row with the reason.

    Args:
        model: in eval mode.
        question: of each photo.
        batch: photos as the model reads them, or why they cannot be read.
    """
    good = [(job, x) for job, x in batch if isinstance(x, Tensor)]
    answers: list[Said] = []
    if good:
        device = model.classifier.weight.device
        looked = look(model, [x for _, x in good], question.precision)
        with reduced(device, question.precision):
            answers = question.answer(looked, [job for job, _ in good])
    found = {said.job: said for said in answers}
    nothing = dict.fromkeys(question.columns)
    return [
        found[job]
        if isinstance(x, Tensor)
        else Said(
            job,
            nothing | {"photo": job.name, "true": _true(job, model.card.classes), "error": str(x)},
        )
        for job, x in batch
    ]


def made_by(model: Trained, question: Question) -> dict[str, Any]:
    """All that decides rows: weights, what was measured with them, and the settings; for JSON."""
    found = hashlib.sha256()
    for tensor in (model.temperatures, model.class_means):
        if tensor is not None:
            found.update(tensor.detach().cpu().float().numpy().tobytes())
    unknown = model.card.unknown
    return {
        "checkpoint": model.card.sha256,
        "calibration": found.hexdigest()[:16],
        "unknown": [unknown["score"], unknown["threshold"]] if unknown else None,
        **question.settings,
    }


def _true(job: Job, classes: Sequence[str]) -> str | None:
    return None if job.label is None else classes[job.label]


def _familiar(looked: Looked) -> list[bool] | list[None]:
    """False for each photo below the card's threshold; None where the card has none."""
    unknown = looked.model.card.unknown
    if not unknown:
        return [None] * len(looked.x)
    scores = card_scores(looked.model, looked.logits(FULL), looked.final(FULL))
    return [bool(s >= unknown["threshold"]) for s in scores.tolist()]


def _maps(looked: Looked, switches: Switches, labels: Tensor) -> Tensor:
    """Each place's share of the labels' logits, (B, 3, H_5, W_5) float32 on the CPU."""
    f5 = looked.features[-1].float()
    weights = looked.model.classifier.weight.float()[labels.to(f5.device)]

    def share(features: Tensor | None) -> Tensor:
        if features is None:
            return f5.new_zeros(f5[:, 0].shape)
        return torch.einsum("bc,bchw->bhw", weights, features.float()) / f5[0, 0].numel()

    D, C = (share(looked.attribute(side, switches)) for side in SIDES)
    return torch.stack([share(f5), D, -C], 1).cpu()


def _top(probability: Tensor, classes: Sequence[str], count: int) -> list[Row]:
    found = probability.topk(count)
    return [
        {"class": classes[i], "probability": p}
        for i, p in zip(found.indices.tolist(), found.values.tolist(), strict=True)
    ]


def _shapley(table: Table, target: int, output: str) -> dict[str, float]:
    values = table.shapley(target, output).flatten().tolist()
    return {str(branch): value for branch, value in zip(EVERY_BRANCH, values, strict=True)}


def _flips(table: Table, classes: Sequence[str]) -> list[Row]:
    return [
        {
            "without": str(flip.off),
            "becomes": classes[flip.prediction],
            "probability": flip.probability,
        }
        for flip in table.flips()[:5]
    ]
