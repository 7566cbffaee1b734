"""F_5 as places: what each adds to every logit, exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from lafe.branches import Switches
from lafe.errors import LafeError
from lafe.explain.prepare import Prepared

Place = tuple[int, int]
"""Row and column of the grid of F_5."""

SIGNS = {"F5": 1.0, "D": 1.0, "C": -1.0}
"""The maps whose places can be asked for, with the sign by which they enter F_5 (Eq. 3)."""


def shares(photo: Prepared, of: str, switches: Switches) -> Tensor:
    """The share of each place of ``F5``, ``D`` or ``C`` in the logits, (n, K) float64, row by row.

    With those of ``F5`` and the bias the logits are complete.

    Raises:
        LafeError: no such map.
    """
    if of not in SIGNS:
        raise LafeError(f"Places are those of {', '.join(SIGNS)}, not of {of!r}.")
    features = getattr(photo.fused(switches), of)[0].flatten(1).T.cpu().double()  # (n, C_5)
    weight = photo.model.classifier.weight.cpu().double()
    shares: Tensor = SIGNS[of] * features @ weight.T / len(features)
    return shares


def logits(photo: Prepared, switches: Switches) -> Tensor:
    """The logits as the sum of all shares and the bias, (K,) float64."""
    return shares(photo, "F5", switches).sum(0) + bias(photo)


def bias(photo: Prepared) -> Tensor:
    """The part of the logits that no place adds, (K,) float64."""
    return photo.model.classifier.bias.cpu().double()


def place(photo: Prepared, number: int) -> Place:
    """The place that has this number when they are counted row by row."""
    row, column = divmod(int(number), photo.features[-1].shape[-1])
    return row, column


def reach(photo: Prepared, switches: Switches, where: Place) -> float:
    """The part of what a place of F_5 sees that lies outside its own patch of the photo, 0 to 1.

    Measured as the share of the absolute gradient of its features' sum: convolutions and gates let
    a place see far more than the patch that it stands on.
    """
    row, column = where
    with torch.inference_mode(False), torch.enable_grad():
        x = photo.x.clone().requires_grad_()
        features = photo.model.features(x)
        F5 = photo.model.final(features[-1], *photo.model.attributes(features, switches))
        (gradient,) = torch.autograd.grad(F5[0, :, row, column].sum(), x)
    seen = gradient.abs().sum((0, 1))
    patch = photo.x.shape[-1] // F5.shape[-1]
    rows, columns = (slice(i * patch, (i + 1) * patch) for i in where)
    return 1 - float(seen[rows, columns].sum() / seen.sum())
