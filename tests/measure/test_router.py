"""The fit of the router: how readily it says "other" is chosen on photos that were left out."""

from __future__ import annotations

import torch

from lafe.explain.router import KINDS, OTHER, fit
from lafe.measure.router import LOST, fitted

PLACE = list(KINDS).index(OTHER)


def photos(seed: int, count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Kinds that lie apart; birds overlap with other things, as those in foliage do."""
    random = torch.Generator().manual_seed(seed)
    kinds = torch.arange(len(KINDS)).repeat(count)
    middles = 8 * torch.eye(len(KINDS), 12)
    middles[PLACE] = middles[0] + torch.eye(12)[7] * 3
    return middles[kinds] + torch.randn(len(kinds), 12, generator=random), kinds


def lost(layer: tuple[torch.Tensor, torch.Tensor], x: torch.Tensor, kinds: torch.Tensor) -> float:
    weight, bias = layer
    birds = x[kinds == 0] @ weight.T + bias
    return float((birds.argmax(1) == PLACE).float().mean())


def test_new_photos_of_a_known_kind_are_seldom_called_other() -> None:
    known, new = photos(0), photos(1, 4000)
    plain, kept = fit(*known), fitted(*known)
    assert lost(plain, *new) > 5 * LOST
    assert lost(kept, *new) < 2.5 * LOST  # a quantile of 400 photos is rough
    scores = new[0] @ kept[0].T + kept[1]
    others = scores[new[1] == PLACE].argmax(1)
    assert float((others == PLACE).float().mean()) > 0.5  # and it still says other


def test_nothing_is_given_up_where_nothing_overlaps() -> None:
    x, kinds = photos(0)
    x[kinds == PLACE] += 40 * torch.eye(12)[9]
    weight, bias = fit(x, kinds)
    kept = fitted(x, kinds)
    assert torch.equal(kept[0], weight)
    assert torch.equal(kept[1], bias)
