"""A checkpoint as it lies on disk: one ``model.safetensors`` with a card in its header.

Everything that must agree is in this one file, which is replaced in one step.  ``card.json`` beside
it is a copy for people: it is written anew with the file, and never read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import safetensors.torch
import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, Branch
from lafe.checkpoints.card import Card
from lafe.errors import LafeError
from lafe.files import replacing, write_json

WEIGHTS, CARD = "model.safetensors", "card.json"

FORMAT = "2"
MAX_WEIGHT_BYTES = 2 * 1024**3
MAX_HEADER_BYTES = 8 * 1024**2

_DTYPES = (torch.float16, torch.float32, torch.int64)
GATES = {f"mean_gates.{b.stage}.{b.name}": b for b in EVERY_BRANCH}


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
    mean_gates: Mapping[Branch, Tensor] = field(default_factory=lambda: MappingProxyType({}))

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
        yield from ((name, self.mean_gates[k]) for name, k in GATES.items() if k in self.mean_gates)

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


def tensors_of(file: Path, data: bytes) -> dict[str, Tensor]:
    """All tensors of a safetensors file; ``file`` is named in errors."""
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # types that torch does not know end in errors of many kinds
        raise CheckpointError(f"{file} is no safetensors file ({error}).") from error
