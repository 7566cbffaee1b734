"""``lafe evaluate``: what a checkpoint is worth on test photos, and whether its branches matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lafe.branches import PRESETS
from lafe.checkpoints.card import Card
from lafe.checkpoints.reading import read, read_card
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.stored import CheckpointError
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.data.dataset import summary
from lafe.data.slices import slices
from lafe.explain.unknown import ACCEPTED, class_means
from lafe.measure import predictions, report, unknown
from lafe.measure.attention import attention
from lafe.measure.bootstrap import interval
from lafe.measure.calibration import calibrate, enough
from lafe.measure.metrics import accuracy, branch_figures, calibration_error, confused, reliability
from lafe.measure.outputs import (
    ClassesError,
    Outputs,
    data_of,
    holds_out,
    labelled_as,
    listed,
    open_test_split,
    open_training_split,
    run,
    unseen,
)
from lafe.measure.provenance import Provenance
from lafe.measure.report import (
    AgainstPlain,
    Evaluation,
    Report,
    Slice,
    Training,
)
from lafe.measure.switching import switching
from lafe.train.drawn import settings_field
from lafe.train.run import noted_split

FOREIGN_PHOTOS = 300
"""The most photos of each foreign data set, evenly spread."""


NOTHING_HELD_OUT = (
    "No photo was held out from training (val_fraction 0): probabilities stay as they are, and no "
    "photo is called unknown, since temperatures and thresholds are set by held-out photos."
)


class EvaluationError(ClassesError):
    """Two models that cannot be compared; the message says why."""


@dataclass(frozen=True, eq=False)
class _Splits:
    """The photos and the outputs of the splits, under the checkpoint's class list.

    No held-out photos, hence no temperatures, where a recipe trains on all.  Temperatures are
    fitted on ``fitted_on`` of the held-out photos.
    """

    photos: PhotoDataset
    test: Outputs
    held_out: Outputs | None
    train: Outputs
    temperatures: Tensor | None
    fitted_on: int


def evaluate(
    checkpoint: str | Path,
    data: str | Path,
    *,
    against: str | Path | None = None,
    branches: bool = False,
    foreign: Sequence[str] = (),
    device: str = "cpu",
    out: str | Path | None = None,
    tell: Callable[[Evaluation, report.Attention | None], None] = lambda *_: None,
) -> Report:
    """Measure a checkpoint on the test split; writes ``report.json`` and the card's figures.

    Returns the report.  Its sections that other commands wrote about the same weights stay.  The
    predictions go to ``results/predictions`` beside the checkpoint's folder.  A training photo
    takes a forward pass, and a test photo one of the backbone and some 30 of the branches and
    fusions, most of them for :mod:`lafe.measure.attention`.

    Args:
        checkpoint: name or folder.
        data: folder of the data set that the card's recipe names, or its parent.  Its classes are
            matched with the checkpoint's by name.
        against: a plain backbone trained by the same recipe, for the difference with a paired
            bootstrap interval.
        branches: also every branch off alone, and exact Shapley values of all test photos; about
            a quarter more work.
        foreign: kinds of data sets (``cub``, ``cars``, ``aircraft``) in the same folder, of things
            that the model does not know: which score tells their test photos best goes into the
            card.
        device: of torch.
        out: where all this goes; into the checkpoint's folder unless given.
        tell: is told of what was found before it is written, which may fail.

    Raises:
        lafe.CheckpointError, lafe.data.DataError, lafe.measure.report.ReportError,
            lafe.measure.outputs.ClassesError: with what to do.
    """
    folder = locate(checkpoint)
    target = folder if out is None else Path(out)
    model = load(folder, device)
    card = model.card
    report.check(target, card.sha256)
    plain = None if against is None else _plain(against, card, device)
    others = {name: _foreign(name, card, data) for name in foreign}
    splits = _run(model, data, folder)
    if splits.held_out is None:
        print(NOTHING_HELD_OUT, flush=True)
    compared, theirs = (None, {}) if plain is None else _against(plain, card, splits)
    means = class_means(splits.train.final, splits.train.labels, len(card.classes))
    model.temperatures = splits.temperatures  # our own copy: what follows is calibrated
    source = Provenance.now(_command(card, against, branches, foreign))
    full = splits.test.answers["full"]
    evaluation = Evaluation(
        source=source,
        split="test",
        photos=len(splits.photos),
        classes=len(card.classes),
        presets=accuracy(splits.test),
        top1_interval=interval(splits.test.right()),
        reliability=reliability(full.confidence, splits.test.right()),
        confused=confused(full.predicted, splits.test.labels, card.classes),
        slices=_slices(splits),
        branches=_branches(model, splits),
        switching=switching(model, splits.photos) if branches else None,
        against_plain=compared,
        unknown=_unknown(model, splits, means, others),
        calibration=_calibration(splits),
    )
    attends, given = _attention(model, splits, source)
    tell(evaluation, attends)
    verdict = attends.verdict if attends else ""
    sha256 = _write_checkpoint(folder, target, card, splits, evaluation, means, verdict)
    given = predictions.predicted(splits.test.answers) | predictions.of_gates(given) | theirs
    at = target.absolute()
    file = at.parent / predictions.FOLDER / f"{at.name}.csv"
    predictions.write(file, splits.photos, given, source, sha256)
    return report.update(target, card.name, sha256, evaluation=evaluation, attention=attends)


def _command(card: Card, against: str | Path | None, branches: bool, foreign: Sequence[str]) -> str:
    """The command line that does the same."""
    return (
        f"lafe evaluate {card.name} --data DIR"
        + (f" --against {Path(against).name}" if against else "")
        + (" --branches" if branches else "")
        + (f" --foreign {' '.join(foreign)}" if foreign else "")
    )


def _run(model: Trained, data: str | Path, folder: Path) -> _Splits:
    card = model.card
    photos = unseen(open_test_split(data_of(card.recipe), data), folder, card.recipe)
    photos = labelled_as(card, photos)
    print(summary({"test": photos}), flush=True)

    _, passed_over = noted_split(folder)

    def training(split: str) -> PhotoDataset:
        found = open_training_split(card.recipe, data, split)
        bad = passed_over.get(split, ())
        return labelled_as(card, found.without(found.lines(), bad, "training passed over them"))

    held_out = training("val") if holds_out(card.recipe) else None
    fitted = None if held_out is None else enough(held_out)
    temperatures = None if fitted is None else calibrate(model, fitted)
    return _Splits(
        photos,
        run(model, photos, PRESETS, temperatures, keep_gates=True),
        None if held_out is None else run(model, held_out),
        run(model, training("train")),
        temperatures,
        0 if fitted is None else len(fitted),
    )


def _calibration(splits: _Splits) -> report.Calibration | None:
    if splits.temperatures is None:
        return None
    return report.Calibration(
        fitted_on=splits.fitted_on,
        presets={
            name: report.Tempered(
                float(splits.temperatures[PRESETS[name].index]),
                calibration_error(answers.tempered, splits.test.right(name)),
            )
            for name, answers in splits.test.answers.items()
        },
        reliability=reliability(splits.test.answers["full"].tempered, splits.test.right()),
    )


def _slices(splits: _Splits) -> tuple[Slice, ...]:
    """Top-1 under the full setting on each harder subset."""
    right, found = splits.test.right(), []
    for name, inside in slices(splits.photos).items():
        top1 = interval(right[inside])
        found.append(Slice(top1.mean, top1.low, top1.high, int(inside.sum()), name))
    return tuple(found)


def _branches(model: Trained, splits: _Splits) -> report.BranchFigures | None:
    if not model.sides:
        return None
    return branch_figures(splits.train, splits.test, *_classifier(model))


def _classifier(model: Trained) -> tuple[Tensor, Tensor]:
    weight, bias = (p.detach().cpu() for p in (model.classifier.weight, model.classifier.bias))
    return weight, bias


def _attention(
    model: Trained, splits: _Splits, source: Provenance
) -> tuple[report.Attention | None, Mapping[str, Tensor]]:
    if not model.sides or len(splits.photos) < 2:
        return None, {}
    means = splits.train.mean_gates
    return attention(model, splits.photos, splits.test, means, source)


def _plain(checkpoint: str | Path, card: Card, device: str) -> Trained:
    """The plain backbone to compare with; refused if the comparison would mean nothing."""
    plain = load(checkpoint, device)
    if plain.sides:
        raise EvaluationError(
            f"{str(checkpoint)!r} has attention branches: give a plain backbone, which `lafe train "
            "RECIPE --variant plain` trains."
        )
    if set(plain.card.classes) != set(card.classes):
        raise EvaluationError(
            f"{str(checkpoint)!r} knows {listed(plain.card.classes)}, {card.name!r} "
            f"{listed(card.classes)}: give a plain backbone of the same classes."
        )
    return plain


def _against(plain: Trained, card: Card, splits: _Splits) -> tuple[AgainstPlain, dict[str, Tensor]]:
    """The full model against the plain one, photo by photo; and the classes that this one gives."""
    outputs = run(plain, labelled_as(plain.card, splits.photos))
    as_ours = torch.tensor([card.classes.index(name) for name in plain.card.classes])
    given = {predictions.PLAIN: as_ours[outputs.answers["full"].predicted]}
    ours, theirs = splits.test.right(), outputs.right()
    found = AgainstPlain(
        plain_top1=float(theirs.mean()),
        plain_sha256=plain.card.sha256,
        plain_training=Training.of(plain.card.training),
        recipe_differences=recipe_differences(card.recipe, plain.card.recipe),
        difference=interval(ours - theirs),
        only_full_right=int((ours > theirs).sum()),
        only_plain_right=int((theirs > ours).sum()),
    )
    return found, given


def recipe_differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Fields in which two recipes differ, with both values, but for the name and the attention."""
    fields = sorted((ours.keys() | theirs.keys()) - {"name", "attention"})
    return {f: (ours.get(f), theirs.get(f)) for f in fields if ours.get(f) != theirs.get(f)}


def _foreign(kind: str, card: Card, data: str | Path) -> PhotoDataset:
    """Test photos of things that the model does not know; their labels mean nothing to it."""
    photos = open_test_split(kind, data)
    known = sorted(set(photos.classes) & set(card.classes))
    if known:
        raise EvaluationError(f"{kind!r} is not foreign to {card.name!r}: both have {known[0]!r}.")
    step = max(1, -(-len(photos) // FOREIGN_PHOTOS))
    chosen = photos.subset(range(0, len(photos), step))
    # Losses are worked out for all photos, and another data set may have more classes.
    return replace(chosen, labels=[0] * len(chosen))


def _unknown(
    model: Trained, splits: _Splits, means: Tensor, others: Mapping[str, PhotoDataset]
) -> dict[str, report.UnknownScore]:
    """Every score of the unknown; none where no photo is held out to set a threshold, or a class
    has no training photo, hence no mean."""
    if splits.held_out is None or not splits.train.labels.bincount(minlength=len(means)).all():
        return {}
    foreign = {name: run(model, photos) for name, photos in others.items()}
    known = unknown.Knowledge(*_classifier(model), means)
    return unknown.compare(splits.held_out, splits.test, foreign, known)


def _write_checkpoint(
    folder: Path,
    target: Path,
    card: Card,
    splits: _Splits,
    evaluation: Evaluation,
    means: Tensor,
    verdict: str,
) -> str:
    """The same weights with all that was measured and must go with them.

    Returns the hash that the card has then.
    """
    stored = read(folder)
    if stored.card.sha256 != card.sha256:
        raise CheckpointError(f"{folder} was replaced while it was measured: measure it again.")
    full, held_out = evaluation.presets["full"], splits.held_out
    figures = {
        "test": {
            "photos": evaluation.photos,
            "top1": round(full.top1, 4),
            "top5": round(full.top5, 4),
            "ece": round(evaluation.shown_error["full"], 4),
        }
    }
    if held_out is not None:
        figures["held_out"] = {
            "photos": len(held_out.labels),
            "top1": round(float(held_out.right().mean()), 4),
        }
    # A run that was trained before trainings said so themselves.
    training = settings_field(card.recipe, card.training) | card.training
    card = replace(stored.card, figures=figures, verdict=verdict, training=training)
    stored = replace(stored, temperatures=splits.temperatures, mean_gates=splits.train.mean_gates)
    if evaluation.unknown and held_out is not None:
        kind = unknown.best(evaluation.unknown)
        chosen = evaluation.unknown[kind]
        field = {
            "score": kind,
            "threshold": chosen.threshold,
            "accepted": ACCEPTED,
            "measured_on": f"{len(held_out.labels)} photos held out from the training split",
            "caught": dict(chosen.caught),
        }
        stored = replace(stored, class_means=means if kind == "class_means" else None)
        card = replace(card, unknown=field)
    replace(stored, card=card).write(target)
    return read_card(target).sha256
