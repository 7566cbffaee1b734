"""Every branch's map from any forward pass.

The hooks are installed once, when a model is built.  They write to a context variable that
:func:`record` sets, so that threads which share a model never see each other's maps, and
nothing stays behind after an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor, nn

from lafe.branches import EVERY_BRANCH, KINDS, SIDES, STAGES, Branch, Key


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
    """The maps and gates of the last whole pass ``model(x, switches)``; gradients are kept.

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
            raise RuntimeError(
                "Nothing was recorded: run the model inside 'with lafe.record', in its thread. "
                "Replicas of DataParallel on several devices run in threads of their own."
            )
        return self._whole.get(name)

    @property
    def features(self) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = self._get("backbone")
        return found

    def _or(self, name: str, zeros: Callable[[], Tensor]) -> Tensor:
        value = self._get(name)
        return zeros() if value is None else value

    def _attribute(self, side: str) -> Tensor:
        return self._or(SIDES[side], lambda: torch.zeros_like(self.features[-1]))

    @property
    def D(self) -> Tensor:
        return self._attribute("dis")

    @property
    def C(self) -> Tensor:
        return self._attribute("con")

    @property
    def F5(self) -> Tensor:
        found: Tensor = self._get("final")
        return found

    @overload
    def __getitem__(self, key: int) -> StageRecord: ...
    @overload
    def __getitem__(self, key: Key) -> BranchRecord: ...
    def __getitem__(self, key: int | Key) -> StageRecord | BranchRecord:
        if isinstance(key, (Branch, tuple)):
            branch = Branch.of(*key) if isinstance(key, tuple) else key
            f = self.features[STAGES.index(branch.stage)]
            return BranchRecord(
                self._or(_module(branch), lambda: torch.zeros_like(f)),
                self._or(f"{_module(branch)}.switch", lambda: no_gate(branch, f)),
            )
        if key not in STAGES:
            raise ValueError(f"There is no stage {key!r}: stages are {STAGES}.")
        f = self.features[STAGES.index(key)]
        dis, con = (self._or(_sum(side, key), lambda: torch.zeros_like(f)) for side in SIDES)
        return StageRecord(dis, con)

    def _repr_html_(self) -> str:
        """The recorded maps in a notebook: the shape and the mean of each branch's map and gate."""
        if self._whole is None:
            return "Nothing was recorded yet."
        rows = "".join(
            f"<tr><td>{branch}</td><td>{tuple(one.map.shape)}</td><td>{one.map.mean():.4g}</td>"
            f"<td>{tuple(one.gate.shape)}</td><td>{one.gate.mean():.4g}</td></tr>"
            for branch in EVERY_BRANCH
            for one in [self[branch]]
        )
        head = "".join(f"<th>{h}</th>" for h in ("branch", "map", "its mean", "gate", "its mean"))
        return (
            f"<table><caption>A pass of {len(self.F5)} photos</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def no_gate(branch: Branch, f: Tensor) -> Tensor:
    """The zeros that stand for the gate of a branch that is off or missing."""
    return torch.zeros_like(f[:, :1] if branch.kind == "r" else f[..., :1, :1])


def _module(branch: Branch) -> str:
    """The name of a branch's module in the model."""
    return f"{SIDES[branch.side]}.{KINDS[branch.kind]}.{branch.stage}"


def _sum(side: str, stage: int) -> str:
    return f"{SIDES[side]}.sums.{stage}"


_RECORDED = {
    *("", "backbone", "final", *SIDES.values()),  # the nameless one is the model
    *(_sum(side, stage) for side in SIDES for stage in STAGES),
    *(_module(branch) + part for branch in EVERY_BRANCH for part in ("", ".switch")),
}
"""Modules whose outputs are recorded, by name."""

_CURRENT: ContextVar[tuple[Record, ...]] = ContextVar("lafe_records", default=())


@contextmanager
def record(model: nn.Module) -> Iterator[Record]:
    """Record the maps of every branch of the forward passes inside, in this thread.

    A model inside ``torch.compile`` or DataParallel is recorded too; on several devices the latter
    runs copies in threads of their own, whose maps are not seen.

    Example:
        >>> with lafe.record(model) as r:
        ...     logits = model(x)
        >>> r[5, "r_dis"].gate.shape
        torch.Size([1, 1, 14, 14])
    """
    model = _unwrapped(model)
    r = Record({module: name for name, module in model.named_modules() if name in _RECORDED})
    token = _CURRENT.set((*_CURRENT.get(), r))
    try:
        yield r
    finally:
        _CURRENT.reset(token)


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model that a compiled or parallel one calls."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def install_hooks(model: nn.Module) -> None:
    """Let every forward pass of this model, or of a copy, report to the records of its context."""
    # The hooks know no model: copies and pickles keep reporting, as themselves.
    model.register_forward_pre_hook(_begin)
    for name, module in model.named_modules():
        if name in _RECORDED:
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
