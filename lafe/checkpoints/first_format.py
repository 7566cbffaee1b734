"""Checkpoints of version 0.1: a ``card.json`` that names the hashes of the files beside it.

They are read and never written: whatever writes a checkpoint, ``lafe evaluate`` for one, leaves the
one file of today.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import Tensor

from lafe.checkpoints.card import Card, CardError, load_strictly
from lafe.checkpoints.stored import (
    CARD,
    MAX_HEADER_BYTES,
    MAX_WEIGHT_BYTES,
    WEIGHTS,
    CheckpointError,
    Stored,
    tensors_of,
)

MEANS = "means.safetensors"


def read_card(folder: Path) -> Card:
    """The card of ``card.json``; CheckpointError if it cannot be used."""
    return _read(folder)[0]


def read(folder: Path, data: bytes) -> Stored:
    """Card, weights and class means; CheckpointError unless each has the hash that the card says.

    The card's ``sha256`` is still that of the file: reports of these weights go by it.
    """
    card, means_sha256 = _read(folder)
    weights = _tensors(folder / WEIGHTS, data, card.sha256)
    if means_sha256 is None:
        return Stored(card, weights)
    file = folder / MEANS
    if not file.is_file() or file.stat().st_size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{folder} lacks a fit {MEANS}, which its card speaks of.")
    means = _tensors(file, file.read_bytes(), means_sha256)
    if list(means) != ["means"]:
        raise CheckpointError(f"{file} should hold one tensor 'means'.")
    return Stored(card, weights, class_means=means["means"])


def _read(folder: Path) -> tuple[Card, str | None]:
    file = folder / CARD
    if not file.is_file():
        raise CheckpointError(f"{folder / WEIGHTS} has no card: it is no checkpoint of LAFE.")
    if file.stat().st_size > MAX_HEADER_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_HEADER_BYTES:,} bytes.")
    try:
        values: dict[str, Any] = load_strictly(file.read_text(encoding="utf-8"))
        unknown = values.get("unknown", {})
        means_sha256 = unknown.pop("means_sha256", None)
        return Card.from_dict(values), means_sha256
    except (CardError, ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{file} is no card of a LAFE checkpoint: {error}") from error


def _tensors(file: Path, data: bytes, sha256: str) -> dict[str, Tensor]:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{file} is not the file that its card describes (sha256 differs).")
    return tensors_of(file, data)
