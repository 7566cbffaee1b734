"""What a checkpoint is worth on test photos: accuracy by setting, and whether its branches matter.

The test split is read here and nowhere else.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lafe import __version__
from lafe.branches import PRESETS, Switches
from lafe.checkpoints.store import (
    REPORT,
    load,
    locate,
    measured,
    write_card,
    write_json,
    write_means,
)
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, decode, load_benchmark, test_transform
from lafe.data.slices import slices
from lafe.explain import unknown
from lafe.measure.bootstrap import interval
from lafe.train.probe import linear_classifier

FULL, NONE = PRESETS["full"], PRESETS["plain backbone"]
BINS = 15


@dataclass(frozen=True)
class Outputs:
    """What a model gives for the N photos of a split.

    Attributes:
        labels: (N,).
        logits: by preset, each (N, K) float32.
        pooled: GAP of f_5, D and C under the full setting, each (N, C_5).
    """

    labels: Tensor
    logits: dict[str, Tensor]
    pooled: dict[str, Tensor]


def top_k(logits: Tensor, labels: Tensor, k: int) -> float:
    """Share of photos whose label is among the k highest logits; (N, K), (N,)."""
    k = min(k, logits.shape[1])
    return float((logits.topk(k, 1).indices == labels[:, None]).any(1).float().mean())


def calibration_error(logits: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al., 2017): equal-width bins of the top probability."""
    confidence, predicted = logits.softmax(1).max(1)
    right = (predicted == labels).float()
    place = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins).index_add(0, place, right - confidence)
    return float(gaps.abs().sum() / len(labels))


def accuracy(outputs: Outputs) -> dict[str, dict[str, float]]:
    """Top-1, top-5 and calibration error of every preset."""
    y = outputs.labels
    return {
        name: {
            "top1": top_k(z, y, 1),
            "top5": top_k(z, y, 5),
            "ece": calibration_error(z, y),
        }
        for name, z in outputs.logits.items()
    }


def branch_figures(outputs: Outputs, weight: Tensor, bias: Tensor) -> dict[str, Any]:
    """Whether the branches matter: shares, changed predictions, margins, cosines.

    ``share``: mean of ``|full - none| / (|full - none| + |none|)`` of the predicted class's logit,
    centred over the classes.
    """
    y, z = outputs.labels, outputs.logits
    full, none = _centred(z["full"]), _centred(z["plain backbone"])
    predicted = full.argmax(1, keepdim=True)
    of_full, of_none = full.gather(1, predicted), none.gather(1, predicted)
    moved = (of_full - of_none).abs()
    parts = {name: _centred(outputs.pooled[name] @ weight.T) for name in ("f5", "D", "C")}
    parts["f5"] = parts["f5"] + _centred(bias[None])
    parts["C"] = -parts["C"]
    label = {"f5": "backbone", "D": "discriminative", "C": "confusable"}
    return {
        "share": float((moved / (moved + of_none.abs())).mean()),
        "mean_centred_logit_of_predicted": {
            label[n]: float(p.gather(1, predicted).mean()) for n, p in parts.items()
        },
        "prediction_changes_without": {
            "discriminative": _changes(z["full"], z["no discriminative"]),
            "confusable": _changes(z["full"], z["no confusable"]),
            "both": _changes(z["full"], z["plain backbone"]),
        },
        "true_margin_added_by": {
            "discriminative": float(_margin(full, parts["D"], y).mean()),
            "confusable": float(_margin(full, parts["C"], y).mean()),
        },
        "cosine_with_f5": {
            n: float(F.cosine_similarity(outputs.pooled[n], outputs.pooled["f5"]).mean())
            for n in ("D", "C")
        },
    }


def _centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(1, keepdim=True)


def _changes(a: Tensor, b: Tensor) -> float:
    return float((a.argmax(1) != b.argmax(1)).float().mean())


def _margin(full: Tensor, part: Tensor, labels: Tensor) -> Tensor:
    """What a part adds to the true class over the full model's strongest other class."""
    rival = full.scatter(1, labels[:, None], -torch.inf).argmax(1, keepdim=True)
    return part.gather(1, labels[:, None]) - part.gather(1, rival)


def linear_probe(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Top-1 on test of a logistic regression on training features (N, C), (N,)."""
    (x, y), (x_test, y_test) = train, test
    weight, bias = linear_classifier(x, y, int(max(y.max(), y_test.max())) + 1)
    return top_k(x_test @ weight.T + bias, y_test, 1)


def batches(
    model: Trained, dataset: PhotoDataset, batch_size: int = 16
) -> Iterator[tuple[Tensor, Tensor]]:
    """Preprocessed photos (B, 3, S, S) and their labels (B,), on the model's device."""
    card = model.card
    device = model.classifier.weight.device
    transform = test_transform(card.resize, card.input_size, card.mean, card.std)
    photos = decode(dataset, card.resize)
    labels = torch.tensor(dataset.labels)
    for i in tqdm(range(0, len(photos), batch_size), desc=f"{card.name} on {dataset.name}"):
        x = transform(photos[i : i + batch_size])
        yield (
            x.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            labels[i : i + batch_size].to(device),
        )


@torch.no_grad()
def run(model: Trained, dataset: PhotoDataset, presets: dict[str, Switches]) -> Outputs:
    """The model's outputs on a split, under each preset; the backbone runs once a photo."""
    labels: list[Tensor] = []
    logits: dict[str, list[Tensor]] = {name: [] for name in presets}
    pooled: dict[str, list[Tensor]] = {name: [] for name in ("f5", "D", "C")}
    for x, y in batches(model, dataset):
        features = model.backbone(x)
        f5 = features[-1]
        labels.append(y.cpu())
        for name, on in presets.items():
            D, C = model.attributes(features, on)
            logits[name].append(model.classify(model.final(f5, D, C)).cpu())
            if on == FULL:
                for key, value in (("f5", f5), ("D", D), ("C", C)):
                    value = torch.zeros_like(f5) if value is None else value
                    pooled[key].append(value.mean((2, 3)).cpu())
    return Outputs(
        torch.cat(labels),
        {name: torch.cat(z) for name, z in logits.items()},
        {name: torch.cat(p) for name, p in pooled.items()},
    )


def evaluate(
    checkpoint: str | Path,
    data: str | Path,
    *,
    against: str | Path | None = None,
    branches: bool = False,
    foreign: Sequence[str] = (),
    device: str = "cpu",
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint on the test split; writes ``report.json`` and the card's figures.

    What ``lafe faithfulness`` wrote into ``report.json`` about the same weights stays.

    Args:
        checkpoint: name or folder.
        data: folder of the data set that the card's recipe names, or its parent.
        against: a plain backbone trained by the same recipe, for the difference with a paired
            bootstrap interval.
        branches: also every branch off alone, and exact Shapley values of all test photos; about
            five times the work.
        foreign: kinds of data sets (``cub``, ``cars``, ``aircraft``) in the same folder, of things
            that the model does not know: which score tells their test photos best goes into the
            card.
        device: of torch.
        out: where all this goes; into the checkpoint's folder unless given.

    Raises:
        lafe.CheckpointError, lafe.data.DataError: with what to do.
    """
    folder = locate(checkpoint)
    model = load(folder, device)
    card = model.card
    split = _Splits(card.recipe, data)
    test = run(model, split["test"], PRESETS)
    held_out = run(model, split["val"], {"full": FULL})
    weight, bias = (p.detach().cpu() for p in (model.classifier.weight, model.classifier.bias))
    settings = accuracy(test)
    report: dict[str, Any] = {
        "checkpoint": card.name,
        "sha256": card.sha256,
        "command": f"lafe evaluate {card.name} --data DIR"
        + (f" --against {Path(against).name}" if against else "")
        + (" --branches" if branches else "")
        + (f" --foreign {' '.join(foreign)}" if foreign else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"lafe": __version__, "torch": torch.__version__},
        "machine": platform.machine(),
        "split": "test",
        "photos": len(test.labels),
        "classes": len(card.classes),
        "presets": settings,
        "top1_interval": interval(_right(test)),
        "worst_preset_below_full": settings["full"]["top1"]
        - min(s["top1"] for s in settings.values()),
        "reliability": reliability(test.logits["full"], test.labels),
        "confused": confused(test.logits["full"], test.labels, card.classes),
        "slices": [
            {"name": name, "photos": int(inside.sum()), **interval(_right(test)[inside])}
            for name, inside in slices(split["test"]).items()
        ],
    }
    train = run(model, split["train"], {"full": FULL})
    if model.discriminative is not None:
        report["branches"] = branch_figures(test, weight, bias)
        report["branches"]["linear_probe_top1"] = {
            name: linear_probe((train.pooled[name], train.labels), (test.pooled[name], test.labels))
            for name in ("f5", "D", "C")
        }
    if branches:
        from lafe.measure.switching import switching

        report["switching"] = switching(model, split["test"])
    if against is not None:
        report["against_plain"] = _against(against, card.recipe, split["test"], test, device)
    means = unknown.class_means(_final(train), train.labels, len(card.classes))
    others = {
        name: _scores(
            run(model, _some(_Splits({"data": name}, data)["test"]), {"full": FULL}), means
        )
        for name in foreign
    }
    report["unknown"] = unknown.compare(_scores(held_out, means), _scores(test, means), others)
    target = folder if out is None else Path(out)
    target.mkdir(parents=True, exist_ok=True)
    if maps := measured(target, card.sha256).get("faithfulness"):
        report["faithfulness"] = maps
    write_json(target / REPORT, report)
    figures = {
        "test": {
            "photos": report["photos"],
            **{k: round(v, 4) for k, v in settings["full"].items()},
        },
        "held_out": {
            "photos": len(held_out.labels),
            "top1": round(top_k(held_out.logits["full"], held_out.labels, 1), 4),
        },
    }
    kind = unknown.best(report["unknown"])
    field = {
        "score": kind,
        "threshold": report["unknown"][kind]["threshold"],
        "accepted": unknown.ACCEPTED,
        "measured_on": f"{len(held_out.labels)} photos held out from the training split",
        "caught": report["unknown"][kind]["caught"],
    }
    if kind == "class_means":
        field["means_sha256"] = write_means(target, means)
    write_card(target, replace(card, figures=figures, unknown=field))
    return report


def _final(outputs: Outputs) -> Tensor:
    """GAP(F_5) under the full setting, (N, C_5)."""
    return outputs.pooled["f5"] + outputs.pooled["D"] - outputs.pooled["C"]


def _scores(outputs: Outputs, means: Tensor) -> dict[str, Tensor]:
    """By kind, how familiar each photo looks."""
    pooled = _final(outputs)
    return {k: unknown.score(k, outputs.logits["full"], pooled, means) for k in unknown.KINDS}


def _some(dataset: PhotoDataset, most: int = 300) -> PhotoDataset:
    """At most 300 photos, evenly spread."""
    step = max(1, -(-len(dataset) // most))
    return dataset.subset(range(0, len(dataset), step))


class _Splits:
    """The splits of the data set that a recipe names, each read when it is asked for."""

    def __init__(self, recipe: dict[str, Any], root: str | Path) -> None:
        self.recipe, self.root = recipe, root

    def __getitem__(self, split: str) -> PhotoDataset:
        return load_benchmark(
            self.recipe.get("data", "folder"),
            self.root,
            split,
            val_fraction=self.recipe.get("val_fraction", 0.1),
            seed=self.recipe.get("seed", 0),
        )


def _right(outputs: Outputs, preset: str = "full") -> Tensor:
    return (outputs.logits[preset].argmax(1) == outputs.labels).float()


def recipe_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, list[Any]]:
    """Fields in which two recipes differ, with both values, but for the name and the attention."""
    fields = sorted((ours.keys() | theirs.keys()) - {"name", "attention"})
    return {f: [ours.get(f), theirs.get(f)] for f in fields if ours.get(f) != theirs.get(f)}


def _against(
    plain: str | Path,
    ours_recipe: dict[str, Any],
    dataset: PhotoDataset,
    test: Outputs,
    device: str,
) -> dict[str, Any]:
    """Full against a plain backbone on the same photos, with a paired bootstrap interval."""
    other = load(plain, device)
    theirs = _right(run(other, dataset, {"full": FULL}))
    ours = _right(test)
    return {
        "plain_top1": float(theirs.mean()),
        "plain_sha256": other.card.sha256,
        "plain_training": other.card.training,
        "recipe_differences": recipe_differences(ours_recipe, other.card.recipe),
        "difference": interval(ours - theirs),
        "only_full_right": int((ours > theirs).sum()),
        "only_plain_right": int((theirs > ours).sum()),
    }


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> list[dict[str, float]]:
    """Per bin of the top probability: photos, mean confidence, accuracy; empty bins left out."""
    confidence, predicted = logits.softmax(1).max(1)
    place = (confidence * bins).long().clamp(max=bins - 1)
    rows = []
    for b in place.unique().tolist():
        here = place == b
        rows.append(
            {
                "photos": int(here.sum()),
                "confidence": float(confidence[here].mean()),
                "accuracy": float((predicted[here] == labels[here]).float().mean()),
            }
        )
    return rows


def confused(
    logits: Tensor, labels: Tensor, classes: list[str], most: int = 10
) -> list[dict[str, Any]]:
    """The ordered pairs (true, predicted) that are mixed up most often."""
    k = len(classes)
    predicted = logits.argmax(1)
    wrong = predicted != labels
    counts = torch.bincount(labels[wrong] * k + predicted[wrong], minlength=k * k)
    top = counts.topk(min(most, k * k))
    return [
        {"true": classes[i // k], "predicted": classes[i % k], "photos": n}
        for i, n in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        if n
    ]
