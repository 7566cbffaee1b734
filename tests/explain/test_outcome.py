"""The prediction of a setting for a photo, and the change against another setting."""

from __future__ import annotations

import pytest
import torch

from lafe.explain.outcome import Outcome, change, outcome

NAMES = ["a", "b", "c", "d"]


def said(names: list[str], logits: torch.Tensor) -> Outcome:
    return outcome(names, logits, logits.softmax(0))


def test_top_and_ranks_by_hand() -> None:
    o = said(NAMES, torch.tensor([0.0, 2.0, 1.0, 2.0]).log1p())
    assert [name for name, _ in o.top(3)] == ["b", "d", "c"]  # of equals the first
    assert [p for _, p in o.top(4)] == pytest.approx([3 / 9, 3 / 9, 2 / 9, 1 / 9])
    assert [o.rank(n) for n in NAMES] == [4, 1, 3, 1]
    assert o.rank("x") is None
    assert o.probability("x") is None


def test_change_by_hand() -> None:
    a = said(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]).log())
    b = said(NAMES, torch.tensor([1.0, 2.0, 6.0, 1.0]).log())
    c = change(a, b)
    assert (c.flipped, c.identical, c.before, c.after, c.rank_after) == (True, False, "a", "c", 3)
    assert c.points == pytest.approx(100 * (0.1 - 0.4))
    same = change(a, said(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]).log()))
    assert same.identical
    assert not same.flipped
    assert same.points == 0


def test_one_bit_is_no_identity() -> None:
    logits = torch.tensor([4.0, 3.0, 2.0, 1.0])
    other = logits.clone()
    other[3] = torch.nextafter(other[3], torch.tensor(9.0))
    assert not change(said(NAMES, logits), said(NAMES, other)).identical
    assert not change(said(NAMES, logits), said(NAMES[::-1], logits)).identical


def test_a_class_that_the_other_model_does_not_know() -> None:
    a = said(NAMES, torch.tensor([4.0, 3.0, 2.0, 1.0]))
    c = change(a, said(["x", "y"], torch.tensor([1.0, 0.0])))
    assert (c.rank_after, c.probability_after, c.points) == (None, None, None)
