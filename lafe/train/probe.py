"""Linear probing: a classifier fitted to features that stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from lafe.data.cache import Pixels
from lafe.data.transforms import Transform
from lafe.model.lafe import LAFE

NUMBERS = 4_000_000
"""Logits that are there at once, of all photos."""


def linear_classifier(
    x: Tensor, y: Tensor, classes: int, decay: float = 1e-2
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression: features (N, C), labels (N,) -> weight (K, C), bias (K,).

    L-BFGS on features standardised by their mean and deviation, L2 ``decay``; the standardisation
    is folded into what is returned.
    """
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    x = (x - mean) / std
    layer = nn.Linear(x.shape[1], classes, device=x.device)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    at_once = max(1, NUMBERS // classes)
    solver = torch.optim.LBFGS(layer.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = decay * layer.weight.square().sum()
        loss.backward()
        for rows in torch.arange(len(x), device=x.device).split(at_once):
            part = F.cross_entropy(layer(x[rows]), y[rows]) * (len(rows) / len(x))
            part.backward()
            loss = loss + part
        return loss.detach()

    with torch.enable_grad():
        solver.step(closure)
    weight = layer.weight.detach() / std
    return weight, layer.bias.detach() - weight @ mean


@torch.no_grad()
def probe_first(
    model: LAFE,
    photos: Pixels,
    labels: list[int],
    transform: Transform,
    *,
    decay: float = 1e-2,
    features: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 16,
) -> None:
    """Fit a new model's classifier to its backbone's GAP(f_5): fine-tuning then starts well.

    From a random classifier the first steps distort features that ImageNet taught.

    Args:
        decay: see :func:`linear_classifier`.
        features: photos (B, 3, S, S) to f_5; the backbone's own unless given.

    Source: Kumar et al., *Fine-tuning can distort pretrained features*, ICLR 2022.

    Shape: photos (N, 3, H, W) uint8.
    """
    training = model.training
    model.eval()
    pooled = []
    for i in tqdm(range(0, len(photos), batch_size), desc="Linear probe"):
        x = transform(photos[i : i + batch_size]).contiguous(memory_format=torch.channels_last)
        f5 = model.backbone(x)[-1] if features is None else features(x)
        pooled.append(f5.float().mean((2, 3)))
    fit_classifier(model, torch.cat(pooled), torch.tensor(labels), decay)
    model.train(training)


@torch.no_grad()
def fit_classifier(model: LAFE, pooled: Tensor, labels: Tensor, decay: float) -> None:
    """Fit a model's classifier to GAP(f_5) of photos, (N, C_5), and their labels (N,)."""
    labels = labels.to(pooled.device)
    weight, bias = linear_classifier(pooled, labels, model.classifier.out_features, decay)
    model.classifier.weight.copy_(weight)
    model.classifier.bias.copy_(bias)
