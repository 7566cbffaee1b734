"""Grad-CAM at the backbone's stages and at every branch, signed: no ReLU behind.

That of F_5, D and C is not listed: it is the evidence, exactly, since all behind them is linear.

Source: Selvaraju et al., ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lafe.branches import EVERY_BRANCH, STAGES, Branch, Switches
from lafe.explain.attribution.registry import Question, Result, method
from lafe.model.record import Record, record


def _grad_cam(layer: Callable[[Record], Tensor], q: Question) -> Result:
    """Channels weighted by their mean gradient and added.  Models are shared: no hook is put."""
    with record(q.score.model) as r:
        total = q.score(q.photo.x.clone().requires_grad_()).sum()
    features = layer(r)
    (gradient,) = torch.autograd.grad(total, features)
    weights = gradient.float().mean((2, 3), keepdim=True)
    return (weights * features.float()).sum((0, 1)), None


def _stage(place: int, r: Record) -> Tensor:
    return r.features[place]


def _branch(branch: Branch, r: Record) -> Tensor:
    return r[branch].map


for _place, _number in enumerate(STAGES):
    _layer = partial(_stage, _place)
    _name, _title = f"grad-cam-f{_number}", f"Grad-CAM at stage {_number}"
    method(_name, _title, "grad-cam", signed=True, learned=True)(partial(_grad_cam, _layer))

for _each in EVERY_BRANCH:
    _layer = partial(_branch, _each)
    _name, _title = f"grad-cam-{_each}", f"Grad-CAM of {_each}"
    method(_name, _title, "grad-cam", signed=True, learned=True, needs=Switches.only(_each))(
        partial(_grad_cam, _layer)
    )
