"""Captum's methods on pixels: many passes of the whole model.

Sources: Sundararajan et al., ICML 2017 (Integrated Gradients); Lundberg & Lee, NeurIPS 2017
(Gradient SHAP); Zeiler & Fergus, ECCV 2014 (Occlusion); Selvaraju et al., ICCV 2017 (Guided
Grad-CAM); Captum's implementations of them.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from lafe.explain.attribution.baselines import BASELINES, baseline
from lafe.explain.attribution.registry import Question, Result, method
from lafe.explain.attribution.superpixels import superpixels
from lafe.model.lafe import LAFE

_BATCH = 4  # photos at a time; more is no faster on a CPU

on_pixels = partial(method, family="pixels", signed=True, learned=True)


@on_pixels("integrated-gradients", "Integrated Gradients", steps=32)
def _integrated_gradients(q: Question) -> Result:
    from captum.attr import IntegratedGradients

    x = _photo(q)
    start = baseline(x, q.against).contiguous()
    found = IntegratedGradients(_counted(q, q.steps)).attribute(
        x, start, n_steps=q.steps, internal_batch_size=_BATCH
    )
    return _map(found), _change(q, start)


@on_pixels("gradient-shap", "Gradient SHAP", steps=16)
def _gradient_shap(q: Question) -> Result:
    from captum.attr import GradientShap

    x = _photo(q)
    explain = GradientShap(_counted(q, q.steps))
    starts = torch.cat([baseline(x, kind) for kind in BASELINES])
    total = torch.zeros_like(x)
    for i, (begin, end) in enumerate(pairwise([*range(0, q.steps, _BATCH), q.steps])):
        with _seeded((q.seed, i)):
            part = explain.attribute(x, starts, n_samples=end - begin, stdevs=0.0)
        total += part.detach() * (end - begin) / q.steps
    return _map(total), _change(q, *starts.split(1))


@on_pixels("occlusion", "Occlusion", steps=13, cost=lambda steps: steps**2 + 1)
def _occlusion(q: Question) -> Result:
    from captum.attr import Occlusion

    x = _photo(q)
    stride = max(x.shape[-1] // (q.steps + 1), 1)
    window = 2 * stride  # each place is covered by four windows, less at the edges
    across = -(-(x.shape[-1] - window) // stride) + 1
    found = Occlusion(_counted(q, across**2 + 1)).attribute(
        x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=baseline(x, q.against),
        perturbations_per_eval=_BATCH,
    )
    return _map(found / 3), None  # the same for each channel: their sum is the drop of the score


@on_pixels("superpixels", "Ablation of superpixels", steps=49, cost=lambda steps: steps + 1)
def _superpixels(q: Question) -> Result:
    from captum.attr import FeatureAblation

    x = _photo(q)
    patches = superpixels(x, q.steps).to(x.device)
    count = int(patches.max()) + 1
    found = FeatureAblation(_counted(q, count + 1)).attribute(
        x,
        baselines=baseline(x, q.against),
        feature_mask=patches[None, None].expand_as(x),
        perturbations_per_eval=_BATCH,
    )
    return _map(found / 3), None


_ACTIVATION = re.compile("relu|elu|silu|swish|mish|hardtanh|softplus|tanh", re.IGNORECASE)


def _unguided(model: LAFE) -> str | None:
    """The reason why a model cannot be guided: Captum passes over all but ``nn.ReLU`` silently."""
    body = model.backbone.body
    used = {type(m).__name__ for m in body.modules()}
    used |= {
        getattr(node.target, "__name__", str(node.target))
        for node in body.graph.nodes
        if node.op in ("call_function", "call_method")
    }
    others = sorted(name for name in used if _ACTIVATION.search(name) and name != "ReLU")
    if not others:
        return None
    return f"it guides ReLU modules only, and this backbone has {', '.join(others)}."


@on_pixels("guided-grad-cam", "Guided Grad-CAM", misfit=_unguided)
def _guided_grad_cam(q: Question) -> Result:
    """Guided Grad-CAM at F_5, on a copy of the model: Captum puts hooks."""
    from captum.attr import GuidedGradCam

    own = deepcopy(q.score)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "setting backward hooks": that is the method
        found = GuidedGradCam(own, own.model.final).attribute(
            _photo(q), interpolate_mode="bilinear"
        )
    return _map(found), None


def _photo(q: Question) -> Tensor:
    """The photo (1, 3, S, S), to be varied in float32: Captum's draws and steps are."""
    return q.photo.x.float().clone()


def _map(found: Tensor) -> Tensor:
    """The sum of attributions (1, 3, S, S) over colours, (S, S)."""
    return found.detach()[0].sum(0)


def _counted(q: Question, passes: int) -> Callable[[Tensor], Tensor]:
    """The score, which tells how many of all passes are done."""
    done = 0

    def score(x: Tensor) -> Tensor:
        nonlocal done
        result: Tensor = q.score(x)
        done += len(x)
        if q.progress is not None:
            q.progress(min(done / passes, 1.0))
        return result

    return score


@torch.no_grad()
def _change(q: Question, *baselines: Tensor) -> float:
    """The score, less the mean score of the baselines."""
    other = torch.stack([q.score(b)[0] for b in baselines]).mean()
    return float(q.score(_photo(q))[0] - other)


_DRAWING = threading.Lock()


@contextmanager
def _seeded(seed: tuple[int, int]) -> Iterator[None]:
    """Seed NumPy's and PyTorch's global generators, from which Captum draws; then put them back."""
    with _DRAWING, torch.random.fork_rng():
        before = np.random.get_state()
        np.random.seed(seed)
        torch.manual_seed(sum(seed))
        try:
            yield
        finally:
            np.random.set_state(before)
