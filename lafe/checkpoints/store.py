"""Checkpoints by name or folder: find, load and save them; nothing is ever unpickled."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lafe.beside import beside
from lafe.branches import EVERY_BRANCH, STAGES, Branch
from lafe.checkpoints.card import Card
from lafe.checkpoints.hub import fetch, is_on_hub
from lafe.checkpoints.reading import read, read_card
from lafe.checkpoints.stored import (
    CARD,
    WEIGHTS,
    CheckpointError,
    Stored,
    compact,
    fingerprint,
)
from lafe.checkpoints.trained import Trained
from lafe.model.attention import ChannelGate, RegionGate
from lafe.model.backbones import STRIDES
from lafe.model.lafe import LAFE


def folders() -> list[Path]:
    """The folders in which names are sought: ``$LAFE_CHECKPOINTS``, the working folder, our own."""
    named = [Path(p) for p in os.environ.get("LAFE_CHECKPOINTS", "").split(os.pathsep) if p]
    return list(dict.fromkeys([*named, Path.cwd() / "checkpoints", beside("checkpoints")]))


def available(where: Iterable[Path] | None = None) -> dict[str, Path]:
    """The checkpoints that can be had by name; the first folder that has a name wins."""
    found: dict[str, Path] = {}
    for folder in folders() if where is None else where:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if (path / WEIGHTS).is_file():
                    found.setdefault(path.name, path)
    return found


def locate(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint; CheckpointError says where it was looked for."""
    if is_on_hub(name_or_path):
        raise CheckpointError(
            f"{name_or_path} is on the hub, where nothing is written: download it."
        )
    path = Path(name_or_path)
    if path.name in (WEIGHTS, CARD) and path.is_file():
        path = path.parent
    if (path / WEIGHTS).is_file():
        return path
    # A plain name only: a name with folders in it would leave the folders that are searched.
    if path.name == str(name_or_path) and (found := available().get(path.name)):
        return found
    if path.is_file() and path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin"):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is read: give a folder with {WEIGHTS}."
        )
    where = ", ".join(str(f) for f in folders())
    raise CheckpointError(
        f"There is no checkpoint {str(name_or_path)!r}: it is no folder with {WEIGHTS}, "
        f"and no such name is in {where}."
    )


def _folder(name_or_path: str | Path) -> Path:
    """The folder to read a checkpoint from."""
    return fetch(str(name_or_path)) if is_on_hub(name_or_path) else locate(name_or_path)


def load_card(name_or_path: str | Path) -> Card:
    """The card alone, checked; CheckpointError if it cannot be used."""
    return read_card(_folder(name_or_path))


def load(name_or_path: str | Path, device: str | torch.device = "cpu") -> Trained:
    """A trained model in eval mode: a LAFE with its card, preprocessing and class means.

    Args:
        name_or_path: a folder with ``model.safetensors``, or the name of one in
            ``$LAFE_CHECKPOINTS``, in ``checkpoints/`` of the working folder or of the checkout; or
            ``hf-hub:user/name``, which is fetched from the Hugging Face hub.

    Raises:
        CheckpointError: not found, or refused: another hash than the card's, a missing or extra
            key, another shape, type or class count, a pickle, a card that breaks its schema.
    """
    folder = _folder(name_or_path)
    return build(read(folder), folder / WEIGHTS).eval().to(device)


def build(stored: Stored, file: Path) -> Trained:
    """The model of a checkpoint; shapes are compared before memory is taken.

    Raises:
        CheckpointError: its message names the file.
    """
    try:
        with torch.device("meta"):
            model = _trained(stored)
    except Exception as error:  # whatever a backbone of any name may raise
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{file}: its model cannot be built ({reason}).") from error
    own = model.state_dict()
    _compare(file, own, stored.weights)
    _compare_measured(file, model)
    weights = {k: stored.weights[k].to(tensor.dtype, copy=True) for k, tensor in own.items()}
    model.load_state_dict(weights, assign=True)
    if any(t.is_meta for t in (*model.parameters(), *model.buffers())):
        # A backbone with buffers outside of its state dict: only its own code makes them.
        with torch.random.fork_rng(devices=[]):
            model = _trained(stored)
        model.load_state_dict(weights)
    return model


def _trained(stored: Stored) -> Trained:
    means = stored.class_means
    return Trained(
        stored.card,
        class_means=None if means is None else means.float(),
        temperatures=stored.temperatures,
        mean_gates=stored.mean_gates,
    )


def _compare(file: Path, own: dict[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Compare keys, shapes and kinds of numbers; CheckpointError says what differs."""
    for problem, names in (
        ("misses", own.keys() - given.keys()),
        ("has a tensor too many:", given.keys() - own.keys()),
    ):
        if names:
            raise CheckpointError(
                f"{file} {problem} {sorted(names)[0]!r} ({len(names)} such in all)."
            )
    for key, tensor in own.items():
        if given[key].shape != tensor.shape:
            raise CheckpointError(
                f"{file}: {key!r} has shape {list(given[key].shape)}, the model needs "
                f"{list(tensor.shape)}."
            )
        if given[key].is_floating_point() != tensor.is_floating_point():
            raise CheckpointError(f"{file}: {key!r} holds numbers of type {given[key].dtype}.")


def _compare_measured(file: Path, model: Trained) -> None:
    """Class means and mean gates of this model's shapes."""
    means, wanted = model.class_means, model.classifier.weight.shape
    if means is not None and means.shape != wanted:
        raise CheckpointError(
            f"{file}: 'class_means' has shape {list(means.shape)}, the model needs {list(wanted)}."
        )
    needs_means = model.card.unknown.get("score") == "class_means"
    if needs_means and means is None:
        raise CheckpointError(f"{file} lacks the class means that its card speaks of.")
    gates = {key: gate.shape for key, gate in model.mean_gates.items()}
    if gates and gates != (shapes := _gate_shapes(model)):
        wrong = next(k for k in EVERY_BRANCH if gates.get(k) != shapes.get(k))
        raise CheckpointError(
            f"{file}: the mean gate of {wrong} is of another shape than the gate."
        )


def _gate_shapes(model: LAFE) -> dict[Branch, torch.Size]:
    """The shape of every gate for one photo."""
    shapes = {}
    for branch in model.branches:
        place = STAGES.index(branch.stage)
        size, channels = model.input_size // STRIDES[place], model.backbone.channels[place]
        shape = (1, 1, size, size) if branch.kind == "r" else (1, channels, 1, 1)
        shapes[branch] = torch.Size(shape)
    return shapes


def save(model: LAFE, folder: str | Path, classes: Sequence[str], **card: Any) -> Path:
    """Write a checkpoint in one step; returns the folder.

    Weights are float16; the first FC of each gate, and statistics that float16 cannot hold, are
    float32.  Gates are folded first.

    Args:
        classes: names in label order.
        card: further fields of :class:`lafe.checkpoints.card.Card`; ``name`` is the folder's
            unless given.

    Raises:
        CheckpointError: a weight that float16 cannot hold.
        lafe.checkpoints.card.CardError: a card that breaks its schema.
    """
    folder = Path(folder)
    weights = {key: _compact(key, value) for key, value in folded(model).state_dict().items()}
    fields: dict[str, Any] = {
        "name": folder.name,
        "resize": model.input_size,
        "mean": list(model.backbone.mean),
        "std": list(model.backbone.std),
        "date": datetime.now(UTC).date().isoformat(),
    }
    fields |= card | {
        "classes": list(classes),
        "model": dict(model.config),
        "sha256": fingerprint(classes, weights),
    }
    return Stored(Card.from_dict(fields), weights).write(folder)


def folded(model: LAFE) -> LAFE:
    """A copy whose gates are Eq. 5 and 6 as printed: what training put before them is folded in."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, (RegionGate, ChannelGate)):
            module.fold()
    return model


def _compact(key: str, value: Tensor) -> Tensor:
    """float16, but for what it would ruin: folded FCs, which cancel, and wide statistics."""
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    if ".gate.reduce." in key:
        return value.float()
    small = compact(value)
    if small.dtype != torch.float16 and not key.endswith((".running_mean", ".running_var")):
        raise CheckpointError(f"{key!r} holds numbers that float16 cannot.")
    return small
