"""One call for any explanation of a photo: Captum's methods beside LAFE's own exact maps.

Explanations say why a class scored as it did, or one class rather than another, under any setting
of the switches.  What cannot be right for a model is left out, with the reason.  Models are shared
between threads, so nothing here puts a hook on one: Grad-CAM reads :func:`lafe.record`, and guided
methods, which need hooks, work on a copy.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from lafe.branches import ATTRIBUTES, EVERY_BRANCH, FULL, STAGES, Switches
from lafe.errors import LafeError
from lafe.explain.attribution.baselines import BASELINES, baseline
from lafe.explain.attribution.superpixels import superpixels
from lafe.explain.controls import Controls
from lafe.explain.evidence import class_direction, evidence
from lafe.explain.prepare import Prepared, refuse_training
from lafe.model.lafe import LAFE
from lafe.model.record import Record, record
from lafe.render.overlay import Map, map_of

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1.  What it raises stops the work."""


class AttributionError(LafeError):
    """A method that is left out for this model and setting; the message says why."""


@dataclass(frozen=True)
class Method:
    """A way to explain a score.

    Attributes:
        name: its key in ``METHODS``.
        title: for people.
        family: "evidence" (exact), "map" (features, the same for every class), "grad-cam", or
            "pixels" (many passes of the whole model: slow).
        signed: negative values speak against the class.
        steps: how fine a slow method is by default: points of the path, samples, windows to a
            side, superpixels; None where nothing can be chosen.
    """

    name: str
    title: str
    family: str
    signed: bool
    steps: int | None = None

    @property
    def slow(self) -> bool:
        return self.family == "pixels"


_SIDES = {"dis": "discriminative", "con": "confusable"}


def _methods() -> Iterator[Method]:
    yield Method("evidence", "Evidence, all parts", "evidence", True)
    yield Method("evidence-backbone", "Evidence of the backbone", "evidence", True)
    for side, word in _SIDES.items():
        yield Method(f"evidence-{side}", f"Evidence, {word}", "evidence", True)
    yield Method("D", "D, discriminative features", "map", False)
    yield Method("C", "C, confusable features", "map", False)
    yield Method("f5", "f\N{SUBSCRIPT FIVE}, features of the backbone", "map", False)
    yield Method("F5", "F\N{SUBSCRIPT FIVE}, final features", "map", True)
    for stage, branch in EVERY_BRANCH:
        yield Method(f"{branch}{stage}", f"Map of {branch} at stage {stage}", "map", False)
    for stage in STAGES:
        yield Method(f"grad-cam-f{stage}", f"Grad-CAM at stage {stage}", "grad-cam", True)
    for stage, branch in EVERY_BRANCH:
        title = f"Grad-CAM of {branch} at stage {stage}"
        yield Method(f"grad-cam-{branch}{stage}", title, "grad-cam", True)
    yield Method("integrated-gradients", "Integrated Gradients", "pixels", True, 32)
    yield Method("gradient-shap", "Gradient SHAP", "pixels", True, 16)
    yield Method("occlusion", "Occlusion", "pixels", True, 13)
    yield Method("superpixels", "Ablation of superpixels", "pixels", True, 49)
    yield Method("guided-grad-cam", "Guided Grad-CAM", "pixels", True)


METHODS: dict[str, Method] = {method.name: method for method in _methods()}
"""Every method, listed once."""


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

    @property
    def gap(self) -> float | None:
        return None if self.change is None else self.change - float(self.map.sum(dtype=np.float64))


def available(
    model: LAFE, switches: Switches = FULL, controls: Controls | None = None
) -> dict[str, str | None]:
    """Every method's name, with None or the reason why it is left out."""
    controls = controls or Controls()
    return {name: _reason(model, METHODS[name], switches, controls) for name in METHODS}


# Inference mode is switched off first, then gradients are switched on: see lafe.prepare.
@torch.inference_mode(False)
@torch.enable_grad()
def attribute(
    photo: Prepared,
    *,
    method: str = "evidence",
    target: int | None = None,
    switches: Switches = FULL,
    versus: int | str | None = None,
    against: str = "mean",
    steps: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Explain the logit of a class, or that of one class less another's.

    Args:
        photo: as :func:`lafe.prepare` gives it; with stand-ins for gates (:meth:`Prepared.under`),
            for evidence and maps only.
        method: a name in ``METHODS``.  Grad-CAM is signed (no ReLU).  That of ``F5``, ``D`` and
            ``C`` is not listed: it is the evidence, exactly, since all behind them is linear.
        target: index of the class; the predicted one by default.
        switches: the setting; all on by default.
        versus: the class to subtract, or ``"mean"``: see :func:`lafe.evidence`.
        against: what takes the photo's place in methods on pixels, one of
            ``lafe.explain.attribution.baselines.BASELINES``.  Gradient SHAP draws from all of them.
        steps: how fine, see :class:`Method`; its default if None.
        seed: of Gradient SHAP.
        progress: told how far a method on pixels is; whatever it raises stops it.

    Raises:
        AttributionError: a method that is unknown, or left out here (:func:`available`).
        ValueError: no such class, baseline or number of steps.
        LafeError: the model is in training mode by now.

    Sources: Selvaraju et al., ICCV 2017 (Grad-CAM, Guided Grad-CAM); Sundararajan et al., ICML 2017
    (Integrated Gradients); Lundberg & Lee, NeurIPS 2017 (Gradient SHAP); Zeiler & Fergus, ECCV 2014
    (Occlusion); Captum's implementations of them.

    Example:
        >>> photo = lafe.prepare(model, picture)
        >>> attribute(photo, method="grad-cam-f5", target=7, versus=3).map
    """
    if method not in METHODS:
        raise AttributionError(
            f"There is no method {method!r}: choose one of {', '.join(METHODS)}."
        )
    if steps is not None and steps < 1:
        raise ValueError(f"A method takes one step or more, not {steps}.")
    refuse_training(photo.model)
    chosen = METHODS[method]
    reason = _reason(photo.model, chosen, switches, photo.controls)
    if reason:
        raise AttributionError(f"{chosen.title} is left out: {reason}")

    if chosen.family == "evidence":
        return _evidence(photo, method, target, switches, versus)
    if chosen.family == "map":
        return Attribution(method, _fixed(_features(photo, method, switches)), chosen.signed)
    direction = class_direction(photo.logits(switches), target, versus)
    score = _Score(photo.model, direction, switches)
    if chosen.family == "grad-cam":
        return Attribution(method, _fixed(_grad_cam(score, photo.x, method)), True)
    work = _Work(score, photo.x.clone(), steps or chosen.steps or 1, against, seed, progress)
    pixels, change = _ON_PIXELS[method](work)
    return Attribution(method, _fixed(pixels.detach()[0].sum(0)), True, change)


def _fixed(heat: Tensor | Map) -> Map:
    """A map as a read-only array."""
    array = np.array(heat.cpu() if isinstance(heat, Tensor) else heat, np.float32)
    array.flags.writeable = False
    return array


def _evidence(
    photo: Prepared, method: str, target: int | None, on: Switches, versus: int | str | None
) -> Attribution:
    e = evidence(photo, target=target, switches=on, versus=versus)
    _, _, part = method.partition("-")
    if part:
        return Attribution(method, _fixed(getattr(e, part)), True)
    return Attribution(method, _fixed(e.backbone + e.dis + e.con), True, e.logit - e.bias)


def _features(photo: Prepared, method: str, on: Switches) -> Map:
    if method == "f5":
        return map_of(photo.features[-1])
    if method in ("D", "C", "F5"):
        return map_of(getattr(photo.fused(on), method))
    return map_of(photo.branch_map(int(method[-1]), method[:-1]))


class _Score(nn.Module):
    """Photos (B, 3, S, S) -> the score that is explained, (B,)."""

    def __init__(self, model: LAFE, direction: Tensor, switches: Switches) -> None:
        super().__init__()
        self.model, self.switches = model, switches
        self.direction: Tensor
        self.register_buffer("direction", direction)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x, self.switches).float() @ self.direction


def _grad_cam(score: _Score, x: Tensor, method: str) -> Tensor:
    """Channels weighted by their mean gradient and added, (H_i, W_i): no ReLU behind."""
    layer = method.removeprefix("grad-cam-")
    with record(score.model) as r:
        total = score(x.clone().requires_grad_()).sum()
    features = _layer(r, layer)
    (gradient,) = torch.autograd.grad(total, features)
    return (gradient.mean((2, 3), keepdim=True) * features).sum((0, 1)).detach()


def _layer(r: Record, layer: str) -> Tensor:
    stage = int(layer[-1])
    if layer.startswith("f"):
        return r.features[STAGES.index(stage)]
    return r[stage, layer[:-1]].map


@dataclass(frozen=True, eq=False)
class _Work:
    """What a method on pixels is given."""

    score: _Score
    x: Tensor
    steps: int
    against: str
    seed: int
    progress: Progress | None

    def counted(self, passes: int) -> Callable[[Tensor], Tensor]:
        """The score, which tells how many of all passes are done."""
        done = 0

        def score(x: Tensor) -> Tensor:
            nonlocal done
            result = self.score(x)
            done += len(x)
            if self.progress is not None:
                self.progress(min(done / passes, 1.0))
            return result

        return score

    @torch.no_grad()
    def change(self, *baselines: Tensor) -> float:
        """The score, less the mean score of the baselines."""
        other = torch.stack([self.score(b)[0] for b in baselines]).mean()
        return float(self.score(self.x)[0] - other)


Result = tuple[Tensor, float | None]
"""Attributions of the pixels (1, 3, S, S), and what they should add up to."""

_BATCH = 4  # photos at a time; more is no faster on a CPU


def _integrated_gradients(work: _Work) -> Result:
    from captum.attr import IntegratedGradients

    start = baseline(work.x, work.against).contiguous()
    found = IntegratedGradients(work.counted(work.steps)).attribute(
        work.x, start, n_steps=work.steps, internal_batch_size=_BATCH
    )
    return found, work.change(start)


def _gradient_shap(work: _Work) -> Result:
    from captum.attr import GradientShap

    method = GradientShap(work.counted(work.steps))
    starts = torch.cat([baseline(work.x, kind) for kind in BASELINES])
    total = torch.zeros_like(work.x)
    for i, (begin, end) in enumerate(pairwise([*range(0, work.steps, _BATCH), work.steps])):
        with _seeded((work.seed, i)):
            part = method.attribute(work.x, starts, n_samples=end - begin, stdevs=0.0)
        total += part.detach() * (end - begin) / work.steps
    return total, work.change(*starts.split(1))


def _occlusion(work: _Work) -> Result:
    from captum.attr import Occlusion

    stride = max(work.x.shape[-1] // (work.steps + 1), 1)
    window = 2 * stride  # each place is covered by four windows, less at the edges
    across = -(-(work.x.shape[-1] - window) // stride) + 1
    found = Occlusion(work.counted(across**2 + 1)).attribute(
        work.x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=baseline(work.x, work.against),
        perturbations_per_eval=_BATCH,
    )
    return found / 3, None  # the same for each channel: their sum is the drop of the score


def _superpixels(work: _Work) -> Result:
    from captum.attr import FeatureAblation

    patches = superpixels(work.x, work.steps).to(work.x.device)
    count = int(patches.max()) + 1
    found = FeatureAblation(work.counted(count + 1)).attribute(
        work.x,
        baselines=baseline(work.x, work.against),
        feature_mask=patches[None, None].expand_as(work.x),
        perturbations_per_eval=_BATCH,
    )
    return found / 3, None


def _guided_grad_cam(work: _Work) -> Result:
    """At F_5.  Captum's hooks are put on a copy of the model."""
    from captum.attr import GuidedGradCam

    own = deepcopy(work.score)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "setting backward hooks": that is the method
        found = GuidedGradCam(own, own.model.final).attribute(work.x, interpolate_mode="bilinear")
    return found, None


_ON_PIXELS: dict[str, Callable[[_Work], Result]] = {
    "integrated-gradients": _integrated_gradients,
    "gradient-shap": _gradient_shap,
    "occlusion": _occlusion,
    "superpixels": _superpixels,
    "guided-grad-cam": _guided_grad_cam,
}

_DRAWING = threading.Lock()


@contextmanager
def _seeded(seed: tuple[int, int]) -> Iterator[None]:
    """Captum draws from NumPy's and PyTorch's global generators: seed them, then put them back."""
    with _DRAWING, torch.random.fork_rng():
        before = np.random.get_state()
        np.random.seed(seed)
        torch.manual_seed(sum(seed))
        try:
            yield
        finally:
            np.random.set_state(before)


def _reason(model: LAFE, method: Method, on: Switches, controls: Controls) -> str | None:
    """Why a method is left out, in a sentence; None where it is right."""
    if controls != Controls() and method.family in ("grad-cam", "pixels"):
        return "it runs the whole model, whose gates are the learned ones, not their stand-ins."
    if method.name == "guided-grad-cam":
        return _unguided(model)
    layer = method.name.removeprefix("grad-cam-").removeprefix("evidence-")
    side = {"D": "dis", "C": "con"}.get(layer, layer)
    if side in ATTRIBUTES:
        keys = [key for key in EVERY_BRANCH if key[1] in ATTRIBUTES[side]]
        what = f"{_SIDES[side]} branch"
    else:
        keys = [key for key in EVERY_BRANCH if layer == f"{key[1]}{key[0]}"]
        what = "".join(f"{branch} at stage {stage}" for stage, branch in keys)
    if not keys:
        return None
    keys = [key for key in keys if _has(model, *key)]
    if not keys:
        return f"this model has no {what}."
    if not any(on[key] for key in keys):
        return (
            f"every {what} is switched off." if side in ATTRIBUTES else f"{what} is switched off."
        )
    return None


def _has(model: LAFE, stage: int, branch: str) -> bool:
    side = model.discriminative if branch in ATTRIBUTES["dis"] else model.confusable
    return side is not None and side.branch(stage, branch[0]) is not None


_ACTIVATION = re.compile("relu|elu|silu|swish|mish|hardtanh|softplus|tanh", re.IGNORECASE)


def _unguided(model: LAFE) -> str | None:
    """Captum guides ``nn.ReLU`` modules and passes over every other activation without a word."""
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
