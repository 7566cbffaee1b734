"""What a checkpoint holds, as it lies on disk: one ``model.safetensors`` with a card in its header.

Everything that must agree is in this one file, which is replaced in one step.  ``card.json`` beside
it is a copy for people: it is written anew with the file, and never read.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO

import safetensors.torch
import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.card import Card, CardError, parse
from lafe.errors import LafeError
from lafe.files import replacing, write_json

WEIGHTS, CARD = "model.safetensors", "card.json"

FORMAT = "2"
MAX_WEIGHT_BYTES = 2 * 1024**3
MAX_HEADER_BYTES = 8 * 1024**2

_DTYPES = (torch.float16, torch.float32, torch.int64)
_GATES = {f"mean_gates.{stage}.{branch}": (stage, branch) for stage, branch in EVERY_BRANCH}


class CheckpointError(LafeError):
    """A checkpoint that is missing or refused; the message says why, and where it was sought."""


@dataclass(frozen=True, eq=False)
class Stored:
    """The contents of a checkpoint; change some with :func:`dataclasses.replace`, then write.

    Attributes:
        card: what the checkpoint says of itself; its ``sha256`` is that of weights and classes.
        weights: the state dict of a :class:`lafe.LAFE`, as stored.
        class_means, temperatures, mean_gates: see :class:`lafe.checkpoints.trained.Trained`.

    Example:
        >>> stored = read(locate("birds"))
        >>> replace(stored, temperatures=fitted).write(folder)
    """

    card: Card
    weights: Mapping[str, Tensor]
    class_means: Tensor | None = None
    temperatures: Tensor | None = None
    mean_gates: Mapping[tuple[int, str], Tensor] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __post_init__(self) -> None:
        for name, tensor in self.tensors():
            if tensor.dtype not in _DTYPES:
                raise CheckpointError(f"{name!r} holds numbers of type {tensor.dtype}.")
            if not torch.isfinite(tensor).all():
                raise CheckpointError(f"{name!r} holds numbers that are not finite.")
        if self.temperatures is not None and not (
            self.temperatures.shape == (4096,) and (self.temperatures > 0).all()
        ):
            raise CheckpointError("'temperatures' must be 4,096 numbers above zero.")

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor by the name it has in the file."""
        yield from self.weights.items()
        if self.class_means is not None:
            yield "class_means", self.class_means
        if self.temperatures is not None:
            yield "temperatures", self.temperatures
        yield from (
            (name, self.mean_gates[k]) for name, k in _GATES.items() if k in self.mean_gates
        )

    def write(self, folder: str | Path) -> Path:
        """Write to a folder, in one step; returns the folder.

        Class means are stored in float16 where it can hold them, temperatures and mean gates in
        float32.
        """
        folder = Path(folder)
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.tensors()}
        for name, tensor in tensors.items():
            if name == "class_means":
                tensors[name] = compact(tensor)
            elif name not in self.weights:
                tensors[name] = tensor.float()
        # The hash anew: that of a checkpoint of version 0.1 is of its file.
        sha256 = fingerprint(self.card.classes, self.weights)
        card = replace(self.card, sha256=sha256).to_dict()
        metadata = {
            "format": "pt",
            "lafe": FORMAT,
            "card": json.dumps(card, ensure_ascii=False),
        }
        with replacing(folder / WEIGHTS) as draft:
            safetensors.torch.save_file(tensors, draft, metadata)
        write_json(folder / CARD, card)
        return folder


def compact(value: Tensor) -> Tensor:
    """float16, or float32 where float16 would make a number infinite."""
    half = value.half()
    return half if torch.isfinite(half).all() else value.float()


def fingerprint(classes: Sequence[str], weights: Mapping[str, Tensor]) -> str:
    """sha256 of the class list and of every weight with its name, type and shape.

    It names the weights that a figure is about.  What is measured later (class means, temperatures,
    mean gates) does not change it.
    """
    found = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        found.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def read_card(folder: Path) -> Card:
    """The card alone, checked; reads the file's header and nothing more.

    Raises:
        CheckpointError: no card that can be used.
    """
    file = _file(folder)
    with file.open("rb") as stream:
        metadata = _metadata(file, stream)
    if metadata is None:
        from lafe.checkpoints import first_format

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
        from lafe.checkpoints import first_format

        return first_format.read(folder, data)
    card, tensors = _card(file, metadata), tensors_of(file, data)
    try:
        gates = {key: tensors.pop(name) for name, key in _GATES.items() if name in tensors}
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


def tensors_of(file: Path, data: bytes) -> dict[str, Tensor]:
    """All tensors of a safetensors file; ``file`` is named in errors."""
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # types that torch does not know end in errors of many kinds
        raise CheckpointError(f"{file} is no safetensors file ({error}).") from error


def _file(folder: Path) -> Path:
    file = folder / WEIGHTS
    if not file.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS}.")
    if file.stat().st_size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_WEIGHT_BYTES:,} bytes.")
    return file


def _metadata(file: Path, stream: IO[bytes]) -> dict[str, str] | None:
    """What the header says beside its tensors; ``None`` for a file of version 0.1: nothing."""
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
