"""Stability of maps: they must follow the model's weights, and not a little noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from lafe.branches import STAGES
from lafe.explain.maps import Map
from lafe.model.lafe import LAFE

UNCHANGED = 0.9
"""The similarity from which a map, made with random weights, explains no model."""

_NOISE = 5 / 255


def similarity(a: Map, b: Map) -> float:
    """Spearman's rank correlation of two maps; 0 where one is flat and the other is not."""
    ranks = [rankdata(heat.ravel()) for heat in (a, b)]
    flat = [not np.ptp(r) for r in ranks]
    if any(flat):
        return float(all(flat))
    return float(np.corrcoef(*ranks)[0, 1])


@dataclass(frozen=True)
class Sanity:
    """The similarity of maps while the model's weights become random, from the top down.

    Attributes:
        similarity: to the first map, after each group of layers (see :func:`randomised`).
    """

    similarity: Mapping[str, float]

    @property
    def defect(self) -> str | None:
        """The defect of a map, as a sentence; None where the map follows the weights."""
        last = list(self.similarity.values())[-1]
        if last < UNCHANGED:
            return None
        return (
            f"This map stays the same ({last:.2f} of 1) when every weight is random: it shows the "
            "photo, or nothing, but not what the model learned."
        )


def sanity(explain: Callable[[LAFE], Map], model: LAFE, random: Mapping[str, LAFE]) -> Sanity:
    """Explain the model and its randomised copies, and compare.

    Args:
        explain: a model's map of one and the same photo and class.
        random: of :func:`randomised`.

    Source: Adebayo et al., NeurIPS 2018.
    """
    first = explain(model)
    found = {name: similarity(first, explain(other)) for name, other in random.items()}
    return Sanity(MappingProxyType(found))


def randomised(model: LAFE, seed: int = 0) -> dict[str, LAFE]:
    """Copies whose layers are random down to, and with, a group: classifier, branches, stages.

    Layers get the values that they have before training; those of timm's and torchvision's
    initialisation schemes are not repeated.
    """
    copies = {}
    current = model
    for name in _groups(model):
        current = deepcopy(current)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for part in _groups(current)[name]:
                for layer in part.modules():
                    if callable(reset := getattr(layer, "reset_parameters", None)):
                        reset()
        copies[name] = current
    return copies


def _groups(model: LAFE) -> dict[str, list[nn.Module]]:
    """The layers that have weights, from the top down."""
    groups: dict[str, list[nn.Module]] = {"classifier": [model.classifier]}
    if model.sides:
        groups["branches"] = list(model.sides.values())
    return groups | dict(reversed(_stages(model).items()))


def _stages(model: LAFE) -> dict[str, list[nn.Module]]:
    """The backbone's layers by the stage that they lead to, in the order in which they run."""
    body = model.backbone.body
    *nodes, output = body.graph.nodes
    ends = [output.args[0][layer] for layer in model.backbone.layers]
    stages: dict[str, list[nn.Module]] = {}
    for stage, end in zip(STAGES, ends, strict=True):
        last = nodes.index(end)
        run = [node.target for node in nodes[: last + 1] if node.op == "call_module"]
        stages[f"stage {stage}"] = [body.get_submodule(name) for name in run]
        nodes = nodes[last + 1 :]
    return stages


def repeatability(
    explain: Callable[[Tensor], Map],
    x: Tensor,
    std: Iterable[float],
    *,
    draws: int = 3,
    seed: int = 0,
) -> float:
    """Mean similarity of a photo's map to those under small noise.

    Args:
        explain: a photo's map, (1, 3, S, S) -> (h, w).
        x: the photo as the model reads it.
        std: of the model's normalisation, per channel: the noise's is 5 of 255 levels.
    """
    random = torch.Generator().manual_seed(seed)
    sigma = _NOISE / torch.tensor(tuple(std))[:, None, None]
    first = explain(x)
    noisy = (x + (sigma * torch.randn(x.shape, generator=random)).to(x) for _ in range(draws))
    return fmean(similarity(first, explain(each)) for each in noisy)
