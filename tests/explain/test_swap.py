"""The fewest edits, against every choice of edits on a grid that is small enough to try them."""

from __future__ import annotations

from copy import deepcopy
from itertools import combinations, permutations

import pytest
import torch
from tiny import SIZE, photos, tiny_model
from torch import Tensor
from torch.nn import functional as F

import lafe
from lafe import LAFE, Prepared, Switches
from lafe.explain.places import reach
from lafe.explain.swap import SwapError

GRID = SIZE // 32


TARGET, SOURCE = 1, 3
Pair = tuple[Prepared, Prepared]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A photo of one class and one that says more for the other."""
    model = tiny_model()
    a, b = (lafe.prepare(model, x[None]) for x in photos(2))
    with torch.no_grad():
        model.classifier.bias.fill_(-100.0)
        model.classifier.bias[[TARGET, SOURCE]] = 0.0
    return a, b


def behind(pair: Pair, gain: float) -> Pair:
    """The same photos under a model in which the target lacks just less than this."""
    model = deepcopy(pair[0].model)
    lead = margin(pair[0].fused(Switches.all()).F5, model)
    with torch.no_grad():
        model.classifier.bias[SOURCE] += float(lead) + gain - 1e-3
    a, b = (lafe.prepare(model, photo.x) for photo in pair)
    return a, b


def margin(F5: Tensor, model: LAFE) -> Tensor:
    """By how much the target leads, for each F_5 (B, C, H, W)."""
    with torch.no_grad():
        logits = model.classify(F5)
    return logits[:, TARGET] - logits[:, SOURCE]


def edited(pair: Pair, of: str, choices: list[list[tuple[int, int]]]) -> Tensor:
    """F_5 of the photo with places of F_5, D or C replaced, one by one; a row a choice."""
    a, b = (photo.fused(Switches.all()) for photo in pair)
    whole, others = (getattr(f, of)[0].flatten(1) for f in (a, b))
    found = whole[None].repeat(len(choices), 1, 1)
    for row, edits in zip(found, choices, strict=True):
        for p, q in edits:
            row[:, p] = others[:, q]
    changed = found.view(len(choices), *a.D.shape[1:])
    if of == "F5":
        return changed
    return pair[0].features[-1] + (changed - a.C if of == "D" else a.D - changed)


def best(pair: Pair, of: str, k: int, allowed: set[tuple[int, int]] | None = None) -> float:
    """The largest lead of k edits, over every choice of places and every way to pair them."""
    n = range(GRID * GRID)
    choices = [list(zip(p, q, strict=True)) for p in combinations(n, k) for q in permutations(n, k)]
    some = [c for c in choices if allowed is None or allowed.issuperset(c)]
    return float(margin(edited(pair, of, some), pair[0].model).max())


def numbers(found: lafe.Swap) -> list[tuple[int, int]]:
    return [(p[0] * GRID + p[1], q[0] * GRID + q[1]) for p, q in found.edits]


@pytest.mark.parametrize("of", ["F5", "D", "C"])
@pytest.mark.parametrize("edits", [1, 2, 3])
def test_no_choice_of_fewer_edits_puts_the_target_above(pair: Pair, of: str, edits: int) -> None:
    start = float(margin(edited(pair, of, [[]]), pair[0].model))
    most = best(pair, of, min(edits, 2))
    if edits == 3:  # a little more than any two give
        most += (most - best(pair, of, 1)) / 4
    pair = behind(pair, most - start)
    found = lafe.swap(*pair, target=TARGET, of=of)
    assert len(found.edits) == edits
    assert (found.source, found.target, found.winner) == (SOURCE, TARGET, TARGET)
    assert float(margin(edited(pair, of, [numbers(found)]), pair[0].model)) > 0
    fewer = best(pair, of, edits - 1)
    assert fewer <= 0
    assert found.one_fewer == pytest.approx(fewer, abs=1e-5)


@pytest.mark.parametrize("of", ["F5", "D", "C"])
def test_logits_after_each_edit_are_those_of_the_edited_features(pair: Pair, of: str) -> None:
    start = float(margin(edited(pair, of, [[]]), pair[0].model))
    pair = behind(pair, 1.1 * (best(pair, of, 2) - start))
    found = lafe.swap(*pair, target=TARGET, of=of)
    edits = numbers(found)
    assert len({p for p, _ in edits}) == len({q for _, q in edits}) == len(edits) > 2
    with torch.no_grad():
        steps = edited(pair, of, [edits[: i + 1] for i in range(len(edits))])
        logits = pair[0].model.classify(steps)
    torch.testing.assert_close(found.logits.float(), logits, atol=1e-5, rtol=0)


def alike(pair: Pair, share: float) -> set[tuple[int, int]]:
    f, g = (F.normalize(photo.features[-1][0].flatten(1), dim=0) for photo in pair)
    order = (f.T @ g).flatten().argsort(descending=True)[: int(share * 81)]
    return {divmod(i, GRID * GRID) for i in order.tolist()}


@pytest.mark.parametrize("edits", [1, 2, 3])
def test_only_similar_places_are_swapped_and_still_no_fewer_do(pair: Pair, edits: int) -> None:
    allowed = alike(pair, 0.3)
    start = float(margin(edited(pair, "F5", [[]]), pair[0].model))
    most = best(pair, "F5", min(edits, 2), allowed)
    if edits == 3:
        most += (most - best(pair, "F5", 1, allowed)) / 8
    pair = behind(pair, most - start)
    found = lafe.swap(*pair, target=TARGET, similar=0.3)
    assert set(numbers(found)) <= allowed
    assert len(found.edits) == edits > len(lafe.swap(*pair, target=TARGET).edits) - 1
    assert float(margin(edited(pair, "F5", [numbers(found)]), pair[0].model)) > 0
    fewer = best(pair, "F5", edits - 1, allowed)
    assert fewer <= 0
    assert found.one_fewer == pytest.approx(fewer, abs=1e-5)


def test_every_pair_is_similar_at_a_share_of_one(pair: Pair) -> None:
    start = float(margin(edited(pair, "F5", [[]]), pair[0].model))
    pair = behind(pair, 1.1 * (best(pair, "F5", 2) - start))
    free, matched = (lafe.swap(*pair, target=TARGET, similar=s) for s in (None, 1.0))
    assert len(free.edits) == len(matched.edits) > 2
    assert free.one_fewer == pytest.approx(matched.one_fewer)


def test_a_third_class_may_win_over_both(pair: Pair) -> None:
    model = deepcopy(pair[0].model)
    with torch.no_grad():
        model.classifier.weight[0] = model.classifier.weight[TARGET]
        lead = margin(pair[0].fused(Switches.all()).F5, model)
        model.classifier.bias[SOURCE] += float(lead) + 0.05
        model.classifier.bias[0] = 0.02
    found = lafe.swap(*(lafe.prepare(model, photo.x) for photo in pair), target=TARGET)
    assert found.winner == 0
    assert found.logits[-1][TARGET] > found.logits[-1][SOURCE]


def test_patches_are_pasted_and_the_model_runs_again(pair: Pair) -> None:
    a, b = behind(pair, 0.05)
    found = lafe.swap(a, b, target=TARGET)
    pasted = lafe.paste(a, b, found)
    x = a.x.clone()
    for (r, c), (s, d) in found.edits:
        x[0, :, 32 * r : 32 * r + 32, 32 * c : 32 * c + 32] = b.x[
            0, :, 32 * s : 32 * s + 32, 32 * d : 32 * d + 32
        ]
    with torch.no_grad():
        logits = a.model(x)[0]
    assert pasted.winner == int(logits.argmax())
    assert pasted.survives == bool(logits[TARGET] > logits[SOURCE])
    assert torch.equal(pasted.photo.x, x)
    assert not torch.equal(a.x, x)


def test_a_place_sees_more_than_its_patch() -> None:
    model = tiny_model()
    photo = lafe.prepare(model, photos(1))
    outside = reach(photo, Switches.all(), (1, 1))
    assert 0.2 < outside < 1
    # Pixels far from a place change it: that is what the share counts.
    x = photo.x.clone()
    x[..., :32] = 0
    before, after = (
        p.fused(Switches.all()).F5[0, :, 1, 1] for p in (photo, lafe.prepare(model, x))
    )
    assert not torch.allclose(before, after)


def test_what_cannot_be_swapped_is_said(pair: Pair) -> None:
    a, b = behind(pair, 0.05)
    with pytest.raises(SwapError, match="already"):
        lafe.swap(a, b, target=SOURCE)
    with pytest.raises(SwapError, match="two models"):
        lafe.swap(a, lafe.prepare(tiny_model(1), b.x), target=TARGET)
    with pytest.raises(SwapError, match="above 0"):
        lafe.swap(a, b, target=TARGET, similar=0)
    with pytest.raises(lafe.LafeError, match="no class 99"):
        lafe.swap(a, b, target=99)
    with pytest.raises(lafe.LafeError, match="no names"):
        lafe.swap(a, b, target="Brandt Cormorant")
    with pytest.raises(lafe.LafeError, match="F5, D, C"):
        lafe.swap(a, b, target=TARGET, of="f5")
    with pytest.raises(SwapError, match="another photo"):
        lafe.swap(*behind(pair, 100.0), target=TARGET)
    with pytest.raises(SwapError, match="less similar"):
        lafe.swap(*behind(pair, 0.05), target=TARGET, similar=1e-9)
