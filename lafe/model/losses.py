"""The losses of Eq. 8-10, each alone; :mod:`lafe.train.objectives` adds them up (Eq. 11)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pair_mask(labels: Tensor) -> Tensor:
    """Neighbours (2k, 2k+1) of a batch that share a label: (B // 2,) bool."""
    even = len(labels) // 2 * 2
    return labels[0:even:2] == labels[1:even:2]


def dis_loss(D: Tensor, labels: Tensor) -> Tensor:
    """``mean|GAP(D)_m - GAP(D)_n|`` over pairs of neighbours with one label (Eq. 8).

    A photo without a partner is left out; with no pair at all the loss is zero.

    Shape: D (B, C, H, W), labels (B,) -> scalar.
    """
    pooled = D.mean((2, 3))  # (B, C)
    even = len(pooled) // 2 * 2
    paired = pair_mask(labels)
    if not paired.any():
        return pooled.sum() * 0.0
    return (pooled[0:even:2] - pooled[1:even:2])[paired].abs().mean()


class ConLoss(nn.Module):
    """``mean|FC(GAP(C)) - 1|`` with an FC of its own, used in training only (Eq. 9).

    Shape: C (B, C, H, W) -> scalar.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, C: Tensor) -> Tensor:
        out = self.fc(C.mean((2, 3)))  # (B, K)
        return F.l1_loss(out, torch.ones_like(out))


def smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Targets of smoothed labels (Szegedy et al., CVPR 2016): a share spread over all classes.

    Shape: (B,) -> (B, K).
    """
    return (1 - smoothing) * F.one_hot(labels, classes).float() + smoothing / classes


def cls_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (Eq. 10).  Shape: logits (B, K), targets (B,) or (B, K) -> scalar."""
    return F.cross_entropy(logits, targets)
