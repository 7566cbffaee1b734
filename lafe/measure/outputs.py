"""A model over a split: which photos, and what it gives for them.

The test split is opened here, by one function, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lafe.branches import FULL, Branch, Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, decode, load_benchmark, test_transform
from lafe.data.cache import OnDisk, Pixels, fits
from lafe.data.names import key, labels_of
from lafe.errors import LafeError
from lafe.train.run import noted_split

FULL_ONLY = {"full": FULL}

Gates = Mapping[Branch, Tensor]
"""The gates of photos, by branch."""

LISTED = 8
"""Classes that a message names at the beginning and at the end of a list."""


class ClassesError(LafeError):
    """Photos or models of other classes than a checkpoint's; the message names both lists."""


ROWS = 1024
"""Photos whose logits are worked out again at a time, from what is kept of them."""


@dataclass(frozen=True, eq=False)
class Answers:
    """A setting's answers for N photos, a number each: all logits would be N times K of them.

    Attributes:
        predicted: the likeliest class, (N,).
        top5: 1.0 where the true class is among the five likeliest, else 0.0, (N,).
        confidence: probability of the likeliest class, as the logits say it, (N,).
        energy: the logarithm of the sum of the logits' exponentials, (N,).
        tempered, loss: the same probability and the negative log-likelihood of the true class, of
            logits over ``temperature``, (N,).
        temperature: None where it is not known: then logits stay as they are.
    """

    predicted: Tensor
    top5: Tensor
    confidence: Tensor
    energy: Tensor
    tempered: Tensor
    loss: Tensor
    temperature: float | None = None

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor, temperature: float | None = None) -> Answers:
        """The answers that logits (N, K) give, for photos of these classes, (N,)."""
        confidence, predicted = logits.softmax(1).max(1)
        five = logits.topk(min(5, logits.shape[1]), 1).indices
        tempered = logits if temperature is None else logits / temperature
        return cls(
            predicted,
            (five == labels[:, None]).any(1).float(),
            confidence,
            logits.logsumexp(1),
            tempered.softmax(1).amax(1),
            F.cross_entropy(tempered, labels, reduction="none"),
            temperature,
        )

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """The answers for the photos of all parts, on the CPU."""
        names = [f.name for f in fields(cls) if f.name != "temperature"]
        joined = {name: torch.cat([getattr(part, name).cpu() for part in parts]) for name in names}
        return cls(**joined, temperature=parts[0].temperature)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of a model for the N photos of a split.

    Nothing here is of photos times classes.

    Attributes:
        labels: (N,).
        answers: by preset.
        pooled: GAP of f_5, D and C under the full setting, each (N, C_5).
        mean_gates: the mean of each gate over the photos, (1, 1, H_i, W_i) or (1, C_i, 1, 1).
        gates: of every photo, each (N, 1, H_i, W_i) or (N, C_i, 1, 1), where they are kept.
    """

    labels: Tensor
    answers: Mapping[str, Answers]
    pooled: Mapping[str, Tensor]
    mean_gates: Gates = field(default_factory=dict)
    gates: Gates = field(default_factory=dict)

    @property
    def final(self) -> Tensor:
        """GAP(F_5) under the full setting, (N, C_5)."""
        return self.pooled["f5"] + self.pooled["D"] - self.pooled["C"]

    def right(self, preset: str = "full") -> Tensor:
        """1.0 for each photo whose class is named, else 0.0, (N,)."""
        return (self.answers[preset].predicted == self.labels).float()


def open_test_split(kind: str, root: str | Path) -> PhotoDataset:
    """The test photos of a data set.  No other function opens them.

    Raises:
        lafe.data.DataError: the data set is missing or broken.
    """
    return load_benchmark(kind, root, "test")


def unseen(photos: PhotoDataset, folder: Path, recipe: Mapping[str, Any]) -> PhotoDataset:
    """The test photos without those that a run was trained on or chosen by, with a note on these.

    In folders of their own people move photos from split to split, and keep copies.

    Args:
        photos: of the test split.
        folder: of the run.
        recipe: of its card.

    Raises:
        lafe.data.DataError: none is left.
        lafe.train.run.RunError: the run's notes cannot be read.
    """
    if data_of(recipe) != "folder":
        return photos
    seen, _ = noted_split(folder)
    return photos.without(photos.digests(), seen, "the model was trained on them")


def holds_out(recipe: Mapping[str, Any]) -> bool:
    """True if a card's recipe trains without some photos of the training split."""
    return bool(recipe.get("val_fraction", 0.1) > 0)


def open_training_split(recipe: Mapping[str, Any], root: str | Path, split: str) -> PhotoDataset:
    """The photos that a recipe trains on (``"train"``), or holds out (``"val"``).

    Args:
        recipe: of a card.
        root: folder of the data set, or its parent.

    Raises:
        lafe.data.DataError: the data set is missing or broken.
        ValueError: another split, or photos held out by a recipe that holds none out.
    """
    if split not in ("train", "val") or (split == "val" and not holds_out(recipe)):
        raise ValueError(f"{split!r} is no split of the training photos.")
    fraction, seed = recipe.get("val_fraction", 0.1), recipe.get("seed", 0)
    if not holds_out(recipe):
        split, fraction = "trainval", 0.1  # which is the same for every fraction
    return load_benchmark(data_of(recipe), root, split, val_fraction=fraction, seed=seed)


def data_of(recipe: Mapping[str, Any]) -> str:
    """The kind of data set that a card's recipe names."""
    kind: str = recipe.get("data", "folder")
    return kind


def labelled_as(card: Card, photos: PhotoDataset) -> PhotoDataset:
    """The photos, with a checkpoint's class list and its indices.  Classes are matched by name,
    whatever its case and separators.

    Raises:
        ClassesError: the photos are of a class that the checkpoint does not know.
    """
    if photos.classes == card.classes:
        return photos
    index = labels_of(card.classes)
    strange = [name for name in photos.classes if key(name) not in index]
    if strange:
        raise ClassesError(
            f"The photos of {photos.name!r} are of {listed(photos.classes)}; {card.name!r} knows "
            f"{listed(card.classes)}, not {strange[0]!r}: give it photos of its own classes, in "
            "folders that are named after them."
        )
    labels = [index[key(photos.classes[label])] for label in photos.labels]
    return replace(photos, labels=labels, classes=card.classes)


def listed(classes: Sequence[str]) -> str:
    """The number of classes and their names; the middle of a long list is left out."""
    names = [repr(name) for name in classes]
    if len(names) > 2 * LISTED:
        names[LISTED:-LISTED] = ["..."]
    return f"{len(classes)} classes ({', '.join(names)})"


def batches(
    model: Trained, photos: PhotoDataset, batch_size: int = 16
) -> Iterator[tuple[Tensor, Tensor]]:
    """Preprocessed photos (B, 3, S, S) and their labels (B,), on the model's device."""
    card = model.card
    device = model.classifier.weight.device
    transform = test_transform(card.resize, card.input_size, card.mean, card.std)
    keep = fits(len(photos), card.resize)
    decoded: Pixels = decode(photos, card.resize) if keep else OnDisk(photos, card.resize)
    labels = torch.tensor(photos.labels)
    for i in tqdm(range(0, len(decoded), batch_size), desc=f"{card.name} on {photos.name}"):
        x = transform(decoded[i : i + batch_size])
        yield (
            x.to(device, memory_format=torch.channels_last),
            labels[i : i + batch_size].to(device),
        )


@torch.no_grad()
def run(
    model: Trained,
    photos: PhotoDataset,
    presets: Mapping[str, Switches] = FULL_ONLY,
    temperatures: Tensor | None = None,
    *,
    keep_gates: bool = False,
) -> Outputs:
    """The model's outputs on a split, under each preset; the backbone runs once a photo.

    Args:
        model, photos: of one class list.
        presets: the settings, by name.
        temperatures: of all settings, (4096,) by ``Switches.index``, where they are known.
        keep_gates: those of every photo, which take more than all the rest.
    """
    labels: list[Tensor] = []
    answers: dict[str, list[Answers]] = {name: [] for name in presets}
    pooled: dict[str, list[Tensor]] = {name: [] for name in ("f5", "D", "C")}
    gates: dict[Branch, list[Tensor]] = {}
    sums: dict[Branch, Tensor] = {}
    for x, y in batches(model, photos):
        features = model.backbone(x)
        f5 = features[-1]
        labels.append(y.cpu())
        own = model.gates(features)
        for branch, gate in own.items():
            sums[branch] = sums.get(branch, 0) + gate.double().sum(0, keepdim=True).cpu()
            if keep_gates:
                gates.setdefault(branch, []).append(gate.cpu())
        for name, on in presets.items():
            D, C = model.attributes(features, on, own)
            z = model.classify(model.final(f5, D, C)).float()
            fitted = None if temperatures is None else float(temperatures[on.index])
            answers[name].append(Answers.of(z, y, fitted))
            if on == FULL:
                for key, value in (("f5", f5), ("D", D), ("C", C)):
                    value = torch.zeros_like(f5) if value is None else value
                    pooled[key].append(value.mean((2, 3)).cpu())
    return Outputs(
        torch.cat(labels),
        {name: Answers.joined(parts) for name, parts in answers.items()},
        {name: torch.cat(p) for name, p in pooled.items()},
        {branch: (total / len(photos)).float() for branch, total in sums.items()},
        {branch: torch.cat(g) for branch, g in gates.items()},
    )
