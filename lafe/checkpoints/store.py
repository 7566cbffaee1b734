"""Checkpoints: ``model.safetensors`` (float16) and ``card.json``; nothing is ever unpickled."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from lafe.beside import beside
from lafe.checkpoints.card import Card, CardError
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.model.attention import ChannelGate, RegionGate
from lafe.model.backbones import BackboneError
from lafe.model.lafe import LAFE

WEIGHTS, CARD = "model.safetensors", "card.json"
MEANS = "means.safetensors"

MAX_WEIGHT_BYTES = 2 * 1024**3
MAX_CARD_BYTES = 4 * 1024**2


class CheckpointError(LafeError):
    """A checkpoint that is missing or refused; the message says why, and where it was sought."""


def folders() -> list[Path]:
    """Where names are looked for: ``$LAFE_CHECKPOINTS``, the working folder, our own."""
    named = [Path(p) for p in os.environ.get("LAFE_CHECKPOINTS", "").split(os.pathsep) if p]
    return list(dict.fromkeys([*named, Path.cwd() / "checkpoints", beside("checkpoints")]))


def available(where: Iterable[Path] | None = None) -> dict[str, Path]:
    """The checkpoints that can be had by name; the first folder that has a name wins."""
    found: dict[str, Path] = {}
    for folder in folders() if where is None else where:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if (path / WEIGHTS).is_file() and (path / CARD).is_file():
                    found.setdefault(path.name, path)
    return found


def locate(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint; CheckpointError says where it was looked for."""
    path = Path(name_or_path)
    if path.name in (WEIGHTS, CARD) and path.is_file():
        path = path.parent
    if (path / CARD).is_file():
        return path
    # A plain name only: a name with folders in it would leave the folders that are searched.
    if path.name == str(name_or_path) and (found := available().get(path.name)):
        return found
    if path.is_file() and path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin"):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is read: give a folder with {WEIGHTS} "
            f"and {CARD}."
        )
    where = ", ".join(str(f) for f in folders())
    raise CheckpointError(
        f"There is no checkpoint {str(name_or_path)!r}: it is no folder with {WEIGHTS} and {CARD}, "
        f"and no such name is in {where}."
    )


def load_card(name_or_path: str | Path) -> Card:
    """The card alone, checked; CheckpointError if it cannot be used."""
    file = locate(name_or_path) / CARD
    if file.stat().st_size > MAX_CARD_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_CARD_BYTES:,} bytes.")
    try:
        return Card.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (CardError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is no card of a LAFE checkpoint: {error}") from error


def load(name_or_path: str | Path, device: str | torch.device = "cpu") -> Trained:
    """A trained model in eval mode: a LAFE with its card, preprocessing and class means.

    Args:
        name_or_path: a folder with ``model.safetensors`` and ``card.json``, or the name of one in
            ``$LAFE_CHECKPOINTS``, in ``checkpoints/`` of the working folder or of the checkout.

    Raises:
        CheckpointError: not found, or refused: another hash than the card's, a missing or extra
            key, another shape or class count, a pickle, a card that breaks its schema.
    """
    folder = locate(name_or_path)
    card = load_card(folder)
    file = folder / WEIGHTS
    if not file.is_file():
        raise CheckpointError(f"{folder} holds a {CARD} but no {WEIGHTS}.")
    if file.stat().st_size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_WEIGHT_BYTES:,} bytes.")
    if _sha256(file) != card.sha256:
        raise CheckpointError(f"{file} is not the file that its card describes (sha256 differs).")
    try:
        with torch.random.fork_rng(devices=[]):  # weights drawn only to be overwritten
            model = Trained(card)
    except (BackboneError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / CARD}: {error}") from error
    _fill(model, file)
    if card.unknown.get("score") == "class_means":
        model.class_means = _means(folder, card, model)
    return model.eval().to(device)


def _fill(model: LAFE, file: Path) -> None:
    """Copy every tensor into the model, strictly: same keys, same shapes, finite numbers."""
    own = model.state_dict()
    try:
        with safe_open(file, "pt") as stored:
            keys = set(stored.keys())
            for problem, names in (
                ("misses", own.keys() - keys),
                ("has a tensor too many:", keys - own.keys()),
            ):
                if names:
                    raise CheckpointError(
                        f"{file} {problem} {sorted(names)[0]!r} ({len(names)} such in all)."
                    )
            for key, tensor in own.items():
                shape = list(stored.get_slice(key).get_shape())
                if shape != list(tensor.shape):
                    raise CheckpointError(
                        f"{file}: {key!r} has shape {shape}, the model needs {list(tensor.shape)}."
                    )
                value = stored.get_tensor(key)
                if not torch.isfinite(value).all():
                    raise CheckpointError(f"{file}: {key!r} holds numbers that are not finite.")
                tensor.copy_(value)
    except SafetensorError as error:
        raise CheckpointError(f"{file} is no safetensors file ({error}).") from error


def _means(folder: Path, card: Card, model: LAFE) -> Tensor:
    """The class means (K, C_5) that tell the unknown; as strict as the weights."""
    file = folder / MEANS
    wanted = model.classifier.weight.shape
    size = 4 * wanted.numel() + MAX_CARD_BYTES
    if not file.is_file() or file.stat().st_size > size:
        raise CheckpointError(f"{folder} lacks a fit {MEANS}, which its card speaks of.")
    if _sha256(file) != card.unknown.get("means_sha256"):
        raise CheckpointError(f"{file} is not the file that its card describes (sha256 differs).")
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise CheckpointError(f"{file} is no safetensors file ({error}).") from error
    means = tensors.get("means")
    if list(tensors) != ["means"] or means is None or means.shape != wanted:
        raise CheckpointError(f"{file} should hold one tensor 'means' of shape {list(wanted)}.")
    if not torch.isfinite(means).all():
        raise CheckpointError(f"{file} holds numbers that are not finite.")
    return means.float()


def write_means(folder: Path, means: Tensor) -> str:
    """Write class means (K, C_5) as float16 in one step; returns the sha256 for the card."""
    draft = folder / f"{MEANS}.part"
    save_file({"means": means.detach().cpu().half().contiguous()}, draft)
    draft.chmod(0o644)
    draft.replace(folder / MEANS)
    return _sha256(folder / MEANS)


def save(model: LAFE, folder: str | Path, classes: Sequence[str], **card: Any) -> Path:
    """Write ``model.safetensors`` and ``card.json``; returns the folder.

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
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: _stored(key, value) for key, value in folded(model).state_dict().items()}
    file = folder / WEIGHTS
    save_file(tensors, file)
    file.chmod(0o644)  # safetensors leaves it to its owner alone
    backbone = model.backbone
    fields: dict[str, Any] = {
        "name": folder.name,
        "resize": model.input_size,
        "mean": list(backbone.mean),
        "std": list(backbone.std),
        "date": datetime.now(UTC).date().isoformat(),
    }
    fields |= card | {
        "classes": list(classes),
        "model": dict(model.config),
        "sha256": _sha256(file),
    }
    write_card(folder, Card.from_dict(fields))
    return folder


def folded(model: LAFE) -> LAFE:
    """A copy whose gates are Eq. 5 and 6 as printed: what training put before them is folded in."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, (RegionGate, ChannelGate)):
            module.fold()
    return model


def _stored(key: str, value: Tensor) -> Tensor:
    """float16, but for what it would ruin: folded FCs, which cancel, and wide statistics."""
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    if not torch.isfinite(value).all():
        raise CheckpointError(f"{key!r} holds numbers that are not finite.")
    half = value.half()
    wide = not torch.isfinite(half).all()
    if wide and not key.endswith((".running_mean", ".running_var")):
        raise CheckpointError(f"{key!r} holds numbers that float16 cannot.")
    return value.float() if wide or ".gate.reduce." in key else half


def write_card(folder: Path, card: Card) -> None:
    """Write ``card.json`` in one step, so that a cut leaves the old one whole."""
    write_json(folder / CARD, card.to_dict())


def write_json(file: Path, values: Mapping[str, Any]) -> None:
    """Write JSON in one step; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".part")
    draft.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
