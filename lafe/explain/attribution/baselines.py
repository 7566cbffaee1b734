"""Photos that say nothing: explanations start there, and deletions end there."""

from __future__ import annotations

from torch import Tensor
from torchvision.transforms.v2 import functional as F

BASELINES = ("blur", "mean")

_BLUR = 10 / 224
"""The Gaussian's sigma, as a share of the photo's side (Fong & Vedaldi, ICCV 2017)."""


def baseline(x: Tensor, kind: str) -> Tensor:
    """The photo without its content.

    Args:
        x: photos as a model reads them, (B, 3, S, S).
        kind: ``"blur"``, a Gaussian blur that leaves no part to be recognised, or ``"mean"``, each
            photo's own mean colour.

    Returns:
        (B, 3, S, S).

    Raises:
        ValueError: another kind.
    """
    if kind == "mean":
        return x.mean((2, 3), keepdim=True).expand_as(x)
    if kind != "blur":
        raise ValueError(f"There is no baseline {kind!r}: choose one of {', '.join(BASELINES)}.")
    sigma = _BLUR * x.shape[-1]
    width = min(2 * round(3 * sigma) + 1, 2 * x.shape[-1] - 1)  # odd, three sigmas to each side
    blurred: Tensor = F.gaussian_blur(x, [width, width], [sigma, sigma])
    return blurred
