"""The router: a linear layer on one checkpoint's backbone decides which model sees a photo.

One forward pass tells a bird, a car, an aircraft, a drawn bird and anything else apart; then the
kind's own model answers.  The layer reads the pooled ``f_3``, ``f_4`` and ``f_5``, which no branch
touches.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lafe.errors import LafeError
from lafe.explain.prepare import Prepared
from lafe.files import replacing

FILE = "router.safetensors"

KINDS = {
    "bird": "birds",
    "car": "cars",
    "aircraft": "aircraft",
    "drawn bird": "partbirds",
    "other": None,
}
"""Kinds of photos, and the checkpoint that knows them; of other things none does."""
OTHER = "other"


class RouterError(LafeError):
    """A router that cannot be read, or that belongs to another backbone."""


@dataclass(frozen=True, eq=False)
class Router:
    """The linear layer.

    Attributes:
        weight, bias: (kinds, C_3 + C_4 + C_5), (kinds,) in the order of ``KINDS``.
        checkpoint: whose backbone it reads.
        sha256: of that checkpoint.
    """

    weight: Tensor
    bias: Tensor
    checkpoint: str
    sha256: str

    def probabilities(self, x: Tensor) -> Tensor:
        """Tell each kind's probability, (N, kinds), from what `pooled` gives."""
        return (x.float() @ self.weight.T + self.bias).softmax(-1)

    def kind(self, photo: Prepared) -> str:
        """The likeliest kind of a photo that was prepared with ``checkpoint``.

        Raises:
            RouterError: the photo was prepared with other weights, or the layer is of another
                width.
        """
        if photo.card.sha256 != self.sha256:
            raise RouterError(f"The router reads the backbone of {self.checkpoint!r} alone.")
        x = pooled(photo.features)
        if x.shape[1] != self.weight.shape[1]:
            raise RouterError("The router reads other features than these: run `lafe router`.")
        return list(KINDS)[int(self.probabilities(x).argmax())]

    def write(self, file: Path) -> None:
        """Write it as safetensors."""
        header = {"checkpoint": self.checkpoint, "sha256": self.sha256,
                  "kinds": json.dumps(list(KINDS))}  # fmt: skip
        with replacing(file) as draft:
            save_file({"weight": self.weight, "bias": self.bias}, draft, header)


def pooled(features: Sequence[Tensor]) -> Tensor:
    """The features of all stages, (N, C_i, H_i, W_i) each, as means over the regions, side by side.

    Shape: (N, C_3 + C_4 + C_5).
    """
    return torch.cat([f.mean((2, 3)) for f in features], 1)


def read(file: Path) -> Router:
    """Read a router.

    Raises:
        RouterError: no such file, or no router of these kinds.
    """
    try:
        with safe_open(file, "pt") as opened:
            header = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RouterError(f"{file} cannot be read ({error}): run `lafe router`.") from error
    if header.get("kinds") != json.dumps(list(KINDS)) or tensors.keys() != {"weight", "bias"}:
        raise RouterError(f"{file} is no router of the kinds known here: run `lafe router`.")
    weight, bias = tensors["weight"], tensors["bias"]
    if weight.ndim != 2 or len(weight) != len(KINDS) or bias.shape != (len(KINDS),):
        raise RouterError(f"{file} is of another shape: run `lafe router`.")
    return Router(weight.float(), bias.float(), header["checkpoint"], header["sha256"])


def fit(x: Tensor, kinds: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """Logistic regression on standardised features; every kind weighs the same.

    The standardisation is folded into what is returned.

    Args:
        x: (N, C).
        kinds: (N,) indices into ``KINDS``.
        decay: of the squared weights.

    Shape: weight (kinds, C), bias (kinds,).
    """
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / scale
    share = len(kinds) / (len(KINDS) * kinds.bincount(minlength=len(KINDS)).clamp(min=1))
    weight = torch.zeros(len(KINDS), z.shape[1], requires_grad=True)
    bias = torch.zeros(len(KINDS), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300)

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = torch.nn.functional.cross_entropy(z @ weight.T + bias, kinds, weight=share)
        found = found + decay * weight.square().sum()
        found.backward()
        return found

    optimizer.step(loss)
    folded = weight.detach() / scale
    return folded, bias.detach() - folded @ mean
