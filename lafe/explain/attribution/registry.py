"""Methods of attribution, each registered where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn

from lafe import markup
from lafe.branches import SIDES, Switches
from lafe.errors import LafeError
from lafe.explain.evidence import Versus, class_direction
from lafe.explain.maps import Map
from lafe.explain.prepare import Prepared
from lafe.model.lafe import LAFE

Progress = Callable[[float], None]
"""A function that is told the share that is done, 0 to 1; what it raises stops the work."""

Result = tuple[Tensor, float | None]
"""A map (h, w), and what it should add up to, where its method promises a sum."""


class AttributionError(LafeError):
    """A method that is left out for this model and setting; the message says why."""


class Score(nn.Module):
    """Photos (B, 3, S, S) -> the score that is explained, (B,), whatever the model's precision."""

    def __init__(self, model: LAFE, direction: Tensor, switches: Switches) -> None:
        super().__init__()
        self.model, self.switches = model, switches
        self.direction: Tensor
        self.register_buffer("direction", direction)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x.to(self.model.classifier.weight.dtype), self.switches)
        return logits.to(self.direction.dtype) @ self.direction


@dataclass(frozen=True, eq=False)
class Question:
    """A question to a method: the arguments of :func:`lafe.attribute`."""

    photo: Prepared
    target: int | None
    switches: Switches
    versus: Versus
    strength: float
    against: str
    steps: int
    seed: int
    progress: Progress | None

    @cached_property
    def score(self) -> Score:
        """The logit of a class, or that of one class less another's."""
        logits = self.photo.logits(self.switches)
        direction = class_direction(logits, self.target, self.versus, self.strength)
        return Score(self.photo.model, direction, self.switches)


@dataclass(frozen=True)
class Method:
    """A way to explain a score.

    Attributes:
        name: its key in ``METHODS``.
        title: for people.
        family: "evidence" (exact), "map" (features, the same for every class), "grad-cam", or
            "pixels" (many passes of the whole model: slow).
        signed: negative values speak against the class.
        explain: the map.
        steps: how fine a slow method is by default: points of the path, samples, windows to a
            side, superpixels; None where nothing can be chosen.
        needs: branches of which one must be there and on.
        learned: it runs the whole model, whose gates are the learned ones.
        cost: of so many steps, in forward passes; a backward pass counts as two.
        misfit: why it cannot be right for a model, in a sentence; None where it can.
    """

    name: str
    title: str
    family: str
    signed: bool
    explain: Callable[[Question], Result]
    steps: int | None = None
    needs: Switches = Switches.none()  # noqa: RUF009  (immutable)
    learned: bool = False
    misfit: Callable[[LAFE], str | None] = lambda model: None
    cost: Callable[[int], int] = lambda steps: 3 * steps

    @property
    def passes(self) -> int:
        """About how many forward passes of the whole model a slow method takes, by default."""
        return self.cost(self.steps or 1) if self.slow else 0

    @property
    def slow(self) -> bool:
        return self.family == "pixels"

    def reason(self, model: LAFE, switches: Switches, stand_ins: bool) -> str | None:
        """The reason why a method is left out, as a sentence; None where it is right."""
        if stand_ins and self.learned:
            return "it runs the whole model, whose gates are the learned ones, not their stand-ins."
        if len(self.needs):
            there = self.needs & Switches.only(*model.branches)
            if not len(there):
                return f"this model has no {_what(self.needs)}."
            if not len(there & switches):
                every = "every " if len(self.needs) > 1 else ""
                return f"{every}{_what(self.needs)} is switched off."
        return self.misfit(model)


@dataclass(frozen=True, eq=False)
class Attribution:
    """An explanation as a map over what the model sees of the photo.

    Attributes:
        name: of the method.
        map: (H, W) float32, read-only; H and W are the input's (methods on pixels) or a stage's.
        signed: as in :class:`Method`.
        change: what the map should add up to, where its method promises a sum: the score, less
            that of the baseline.  None elsewhere.
        gap: what the sum misses of ``change``.
    """

    name: str
    map: Map
    signed: bool
    change: float | None = None

    def _repr_html_(self) -> str:
        """The map's figures in a notebook."""
        values = {
            "map": f"{self.map.shape[0]} x {self.map.shape[1]}",
            "lowest place": float(self.map.min()),
            "highest place": float(self.map.max()),
            "sum": float(self.map.sum(dtype=np.float64)),
            "sum that is promised": self.change,
            "gap": self.gap,
        }
        return markup.table(self.name, (), [row for row in values.items() if row[1] is not None])

    @property
    def gap(self) -> float | None:
        return None if self.change is None else self.change - float(self.map.sum(dtype=np.float64))


Explain = Callable[[Question], Result]

REGISTERED: dict[str, Method] = {}
"""The methods by name, in the order in which the modules of the families define them."""


def method(
    name: str, title: str, family: str, *, signed: bool, **more: Any
) -> Callable[[Explain], Explain]:
    """Register what is decorated as a method; arguments as of :class:`Method`."""

    def register(explain: Explain) -> Explain:
        assert name not in REGISTERED, name
        REGISTERED[name] = Method(name, title, family, signed, explain, **more)
        return explain

    return register


def _what(branches: Switches) -> str:
    """One branch, or one side's."""
    first = next(iter(branches))
    return str(first) if len(branches) == 1 else f"{SIDES[first.side]} branch"
