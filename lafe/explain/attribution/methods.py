"""One call for any explanation of a photo: Captum's methods beside LAFE's own exact maps.

Explanations say why a class scored as it did, or one class rather than another, under any setting
of the switches.  What cannot be right for a model is left out, with the reason.  Models are shared
between threads, so nothing here puts a hook on one: Grad-CAM reads :func:`lafe.record`, and guided
methods, which need hooks, work on a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch

from lafe.branches import FULL, Switches
from lafe.explain.attribution import exact, grad_cam, pixels  # noqa: F401  (they register)
from lafe.explain.attribution.registry import (
    REGISTERED,
    Attribution,
    AttributionError,
    Method,
    Progress,
    Question,
)
from lafe.explain.controls import Controls
from lafe.explain.evidence import Versus
from lafe.explain.maps import fixed
from lafe.explain.prepare import Prepared, refuse_training
from lafe.model.lafe import LAFE

METHODS: Mapping[str, Method] = MappingProxyType(REGISTERED)
"""Every method by its name."""


def available(
    model: LAFE, switches: Switches = FULL, controls: Controls | None = None
) -> dict[str, str | None]:
    """Every method's name, with None or the reason why it is left out."""
    stand_ins = controls not in (None, Controls())
    return {name: each.reason(model, switches, stand_ins) for name, each in METHODS.items()}


# Inference mode is switched off first, then gradients are switched on: see lafe.prepare.
@torch.inference_mode(False)
@torch.enable_grad()
def attribute(
    photo: Prepared,
    *,
    method: str = "evidence",
    target: int | None = None,
    switches: Switches = FULL,
    versus: Versus = None,
    strength: float = 1.0,
    against: str = "mean",
    steps: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Explain the logit of a class, or that of one class less another's.

    Args:
        photo: as :func:`lafe.prepare` gives it; with stand-ins for gates (:meth:`Prepared.under`),
            for evidence and maps only.
        method: a name in ``METHODS``; the modules of its family cite its source.
        target: index of the class; the predicted one by default.
        switches: the setting; all on by default.
        versus, strength: what to subtract, and how much of it: see :func:`lafe.evidence`.
        against: what takes the photo's place in methods on pixels, one of
            ``lafe.explain.attribution.baselines.BASELINES``.  Gradient SHAP draws from all of them.
        steps: how fine, see :class:`~lafe.explain.attribution.registry.Method`; its default if
            None.
        seed: of Gradient SHAP.
        progress: told how far a method on pixels is; whatever it raises stops it.

    Raises:
        AttributionError: a method that is unknown, or left out here (:func:`available`).
        ValueError: no such class, baseline or number of steps.
        LafeError: the model is in training mode by now.

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
    if reason := chosen.reason(photo.model, switches, photo.controls != Controls()):
        raise AttributionError(f"{chosen.title} is left out: {reason}")
    heat, change = chosen.explain(
        Question(
            photo,
            target,
            switches,
            versus,
            strength,
            against,
            steps or chosen.steps or 1,
            seed,
            progress,
        )
    )
    return Attribution(method, fixed(heat), chosen.signed, change)
