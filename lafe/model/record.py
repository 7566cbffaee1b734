"""Every branch's map from any forward pass.

The hooks are installed once, when a model is built.  They write to a context variable that
:func:`record` sets, so that threads which share a model never see each other's maps, and
nothing stays behind after an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor, nn

from lafe.branches import STAGES, Switches

if TYPE_CHECKING:
    from lafe.model.lafe import LAFE


@dataclass(frozen=True)
class BranchRecord:
    """One branch of one pass.

    Attributes:
        map: gate times features, (B, C_i, H_i, W_i); zeros where the branch was off.
        gate: (B, 1, H_i, W_i) of a region branch, (B, C_i, 1, 1) of a channel branch; zeros too.
    """

    map: Tensor
    gate: Tensor


@dataclass(frozen=True)
class StageRecord:
    """The sums of one stage: ``dis`` and ``con``, (B, C_i, H_i, W_i) each (Eq. 1, 2)."""

    dis: Tensor
    con: Tensor


@dataclass(eq=False, repr=False)
class Record:
    """What the last whole pass ``model(x, switches)`` left; gradients are kept.

    ``r[5, "r_dis"].map`` and ``.gate``; ``r[5].dis`` and ``.con``; ``r.features`` (f_3, f_4, f_5);
    ``r.D``, ``r.C`` and ``r.F5``, each (B, C_5, H_5, W_5).  What was off is zeros.

    Raises:
        RuntimeError: nothing was recorded yet.
    """

    _names: dict[nn.Module, str]
    _pending: dict[str, Any] | None = None
    _whole: dict[str, Any] | None = None

    def _get(self, name: str) -> Any:
        if self._whole is None:
            raise RuntimeError("Nothing was recorded: run the model inside 'with lafe.record'.")
        return self._whole.get(name)

    @property
    def features(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._get("backbone")

    def _or_zeros(self, name: str, stage: int, shape: str = "map") -> Tensor:
        value = self._get(name)
        if value is not None:
            return value
        f = self.features[STAGES.index(stage)]
        if shape == "region":
            return torch.zeros_like(f[:, :1])
        return torch.zeros_like(f[..., :1, :1] if shape == "channel" else f)

    @property
    def D(self) -> Tensor:
        return self._or_zeros("discriminative", STAGES[-1])

    @property
    def C(self) -> Tensor:
        return self._or_zeros("confusable", STAGES[-1])

    @property
    def F5(self) -> Tensor:
        return self._get("final")

    @overload
    def __getitem__(self, key: int) -> StageRecord: ...
    @overload
    def __getitem__(self, key: tuple[int, str]) -> BranchRecord: ...
    def __getitem__(self, key: int | tuple[int, str]) -> StageRecord | BranchRecord:
        if isinstance(key, tuple):
            stage, branch = key
            Switches.only(branch, stages=(stage,))  # refuses unknown names
            side = "discriminative" if branch.endswith("dis") else "confusable"
            shape = "region" if branch.startswith("r") else "channel"
            name = f"{side}.{shape}.{stage}"
            return BranchRecord(
                self._or_zeros(name, stage), self._or_zeros(f"{name}.gate", stage, shape)
            )
        Switches.only("r_dis", stages=(key,))
        return StageRecord(
            self._or_zeros(f"discriminative.sums.{key}", key),
            self._or_zeros(f"confusable.sums.{key}", key),
        )


_RECORDED = re.compile(
    r"|backbone|final|(discriminative|confusable)(\.sums\.\d|\.(region|channel)\.\d(\.gate)?)?"
)
"""Modules whose outputs are recorded, by name; the nameless one is the model."""

_CURRENT: ContextVar[tuple[Record, ...]] = ContextVar("lafe_records", default=())


@contextmanager
def record(model: LAFE) -> Iterator[Record]:
    """Record the maps of every branch of the forward passes inside.

    Example:
        >>> with lafe.record(model) as r:
        ...     logits = model(x)
        >>> r[5, "r_dis"].gate.shape
        torch.Size([1, 1, 14, 14])
    """
    r = Record(
        {module: name for name, module in model.named_modules() if _RECORDED.fullmatch(name)}
    )
    token = _CURRENT.set((*_CURRENT.get(), r))
    try:
        yield r
    finally:
        _CURRENT.reset(token)


def install_hooks(model: LAFE) -> None:
    """Let every forward pass of this model, or of a copy, report to the records of its context."""
    # The hooks know no model: copies and pickles keep reporting, as themselves.
    model.register_forward_pre_hook(_begin)
    for name, module in model.named_modules():
        if _RECORDED.fullmatch(name):
            module.register_forward_hook(_report)


def _begin(module: nn.Module, args: Any) -> None:
    for r in _CURRENT.get():
        if module in r._names:
            r._pending = {}


def _report(module: nn.Module, args: Any, output: Any) -> None:
    for r in _CURRENT.get():
        if module in r._names and r._pending is not None:
            r._pending[r._names[module]] = output
            if r._names[module] == "":  # the model itself: the pass is whole
                r._whole, r._pending = r._pending, None
