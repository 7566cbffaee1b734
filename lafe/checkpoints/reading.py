"""A checkpoint's file, read: header, card and tensors, checked against its own hash."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

from lafe.checkpoints import first_format
from lafe.checkpoints.card import Card, CardError, parse
from lafe.checkpoints.stored import (
    FORMAT,
    GATES,
    MAX_HEADER_BYTES,
    MAX_WEIGHT_BYTES,
    WEIGHTS,
    CheckpointError,
    Stored,
    fingerprint,
    tensors_of,
)


def read_card(folder: Path) -> Card:
    """The card alone, checked; reads the file's header and nothing more.

    Raises:
        CheckpointError: no card that can be used.
    """
    file = _file(folder)
    with file.open("rb") as stream:
        metadata = _metadata(file, stream)
    if metadata is None:
        return first_format.read_card(folder)
    return _card(file, metadata)


def read(folder: Path) -> Stored:
    """A whole checkpoint, checked against its own hash.

    Raises:
        CheckpointError: it cannot be read, or its parts do not agree.
    """
    file = _file(folder)
    data = file.read_bytes()  # once: card and tensors are of one file, whatever replaces it
    metadata = _metadata(file, io.BytesIO(data))
    if metadata is None:
        return first_format.read(folder, data)
    card, tensors = _card(file, metadata), tensors_of(file, data)
    try:
        gates = {key: tensors.pop(name) for name, key in GATES.items() if name in tensors}
        stored = Stored(
            card,
            class_means=tensors.pop("class_means", None),
            temperatures=tensors.pop("temperatures", None),
            mean_gates=MappingProxyType(gates),
            weights=MappingProxyType(tensors),
        )
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error
    if fingerprint(card.classes, stored.weights) != card.sha256:
        raise CheckpointError(
            f"{file}: its weights and class list are not those that its card was written for "
            "(sha256 differs)."
        )
    return stored


def _file(folder: Path) -> Path:
    file = folder / WEIGHTS
    if not file.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS}.")
    if file.stat().st_size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_WEIGHT_BYTES:,} bytes.")
    return file


def _metadata(file: Path, stream: IO[bytes]) -> dict[str, str] | None:
    """The header's metadata, beside its tensors; None for a file of version 0.1, which has none."""
    start = stream.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= MAX_HEADER_BYTES:
        raise CheckpointError(f"{file} is no safetensors file: it does not begin like one.")
    try:
        metadata = json.loads(stream.read(length)).get("__metadata__") or {}
    except (ValueError, RecursionError, AttributeError) as error:
        raise CheckpointError(f"{file} is no safetensors file ({error}).") from error
    if not isinstance(metadata, dict) or "card" not in metadata:
        return None
    if metadata.get("lafe") != FORMAT:
        raise CheckpointError(
            f"{file} is of format {metadata.get('lafe')!r}, and this version of LAFE reads "
            f"{FORMAT!r}: install a newer one."
        )
    return metadata


def _card(file: Path, metadata: Mapping[str, str]) -> Card:
    try:
        return parse(metadata["card"])
    except (CardError, TypeError) as error:
        raise CheckpointError(f"{file} has no card of a LAFE checkpoint: {error}") from error
