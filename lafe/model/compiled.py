"""The same model with compiled graphs, for whoever prepares many photos."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from lafe.model.lafe import LAFE

Model = TypeVar("Model", bound=LAFE)

_FROZEN = {"options": {"freezing": True}}
"""Batch norms are folded into convolutions, and weights laid out for the processor, once."""


def compiled(model: Model, **options: Any) -> Model:
    """A copy whose backbone and sides run as graphs of ``torch.compile``.

    For :func:`lafe.prepare` and what starts from it.  Sums are rounded in another order, so logits
    and evidence agree with the model's own to 1e-4, not to the bit.  The first photo waits for the
    compiler, half a minute for ResNet-50, and so does each other set of branches that are on; after
    eight graphs in a process (``torch.compile``'s bound; ``torch.compiler.reset()`` forgets them)
    new ones run as they are.  inductor needs a C++ compiler.

    Args:
        model: in eval mode; it is left alone.
        options: of ``torch.compile``; by default inductor, with the weights frozen.

    Example:
        >>> fast = lafe.compiled(lafe.load("birds"))
        >>> lafe.evidence(lafe.prepare(fast, picture))
    """
    fast = copy.deepcopy(model)
    for part in (fast.backbone, *fast.sides.values()):
        # One input size a model: another model's must not make sizes unknowns.
        part.compile(dynamic=False, **(options or _FROZEN))
    return fast
