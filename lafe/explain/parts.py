"""Evidence named by part: how much of "why this and not that" lies on the throat, on the wing.

A small locator, one linear layer on f_4 and f_5, says of each place of F_5 which part of the bird
is there.  It is fitted to points that people set, and its error is stated with it; evidence is
exact, the names of its places are as good as the locator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import FULL, Switches
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.explain.evidence import Versus, evidence
from lafe.explain.prepare import Prepared
from lafe.files import replacing

FILE = "parts.safetensors"
REST, BESIDE = "rest of the bird", "beside the bird"
NEAR, CENTRE = "within one place", "by the centre"
"""Figures of a locator's error, see :func:`lafe.measure.locator.errors`."""


class LocatorError(LafeError):
    """No locator, or one of another model."""


@dataclass(frozen=True, eq=False)
class Locator:
    """Names the part at each place of F_5, for the model that it was fitted to.

    Attributes:
        names: of the parts; then the rest of the bird, and what is beside it.
        weight, bias: (P, C_4 + C_5) and (P,).
        sha256: of the model's weights.
        error: figures of test photos, by name.
    """

    names: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    sha256: str
    error: Mapping[str, float]

    @torch.no_grad()
    def __call__(self, photo: Prepared) -> Tensor:
        """Probabilities of the parts at each place, (P, H_5, W_5); they add up to 1.

        Raises:
            LocatorError: the photo is under another model.
        """
        if photo.card.sha256 != self.sha256:
            raise LocatorError("This locator is of another model: run `lafe locator` on this one.")
        return self.read(stacked(photo.features))[0]

    def read(self, features: Tensor) -> Tensor:
        """The same of stacked features (B, C_4 + C_5, H_5, W_5): (B, P, H_5, W_5)."""
        scores = torch.einsum("pc,bchw->bphw", self.weight, features)
        return (scores + self.bias[:, None, None]).softmax(1)


@dataclass(frozen=True)
class PartEvidence:
    """Evidence on each part, and on none.

    Attributes:
        parts: what the places of each part add, the largest share first; rest and beside are two
            of them.
        whole: what all places add.
    """

    parts: Mapping[str, float]
    whole: float

    def share(self, part: str) -> float:
        """Share of what all places add; parts that speak against the class are below 0."""
        return self.parts[part] / self.whole


def stacked(features: Sequence[Tensor]) -> Tensor:
    """f_4, pooled to the places of f_5, and f_5: (B, C_4 + C_5, H_5, W_5) float32 on the CPU."""
    f4, f5 = (f.detach().cpu().float() for f in features[-2:])
    return torch.cat([F.avg_pool2d(f4, 2), f5], 1)


def by_part(
    photo: Prepared,
    locator: Locator,
    *,
    target: int | None = None,
    versus: Versus = None,
    strength: float = 1.0,
    switches: Switches = FULL,
) -> PartEvidence:
    """The evidence for a class, or for one rather than another, by part.

    Each place's evidence is shared out by how likely each part is there, so that all of it is named
    once.

    Args: as of :func:`lafe.evidence`.

    Raises:
        LocatorError: the locator is of another model.
        ValueError: no such class.
    """
    e = evidence(photo, target=target, versus=versus, strength=strength, switches=switches)
    says = (e.backbone + e.dis + e.con).cpu()
    each = torch.einsum("phw,hw->p", locator(photo), says).tolist()
    order = sorted(range(len(each)), key=lambda i: -each[i])
    return PartEvidence({locator.names[i]: each[i] for i in order}, float(says.sum()))


def write(folder: Path, locator: Locator) -> Path:
    """Write a locator beside its checkpoint; returns the file."""
    about = {"names": "\n".join(locator.names), "sha256": locator.sha256}
    about |= {f"error {name}": repr(value) for name, value in locator.error.items()}
    tensors = {"weight": locator.weight.half().contiguous(), "bias": locator.bias.contiguous()}
    with replacing(folder / FILE) as draft:
        save_file(tensors, draft, about)
    return folder / FILE


def read(folder: Path, model: Trained) -> Locator:
    """The locator beside a checkpoint.

    Raises:
        LocatorError: there is none, it cannot be read, or it is of other weights.
    """
    file = folder / FILE
    if not file.is_file():
        raise LocatorError(f"There is no {file}: run `lafe locator {folder.name} --data DIR`.")
    try:
        with safe_open(file, "pt") as opened:
            about = opened.metadata()
            weight, bias = opened.get_tensor("weight").float(), opened.get_tensor("bias").float()
        error = {
            name.removeprefix("error "): float(value)
            for name, value in about.items()
            if name.startswith("error ")
        }
        found = Locator(tuple(about["names"].split("\n")), weight, bias, about["sha256"], error)
    except Exception as error:  # safetensors' own, and what a wrong file lacks
        raise LocatorError(f"{file} cannot be read: run `lafe locator` again.") from error
    if found.sha256 != model.card.sha256:
        raise LocatorError(f"{file} is of other weights: run `lafe locator` again.")
    return found
