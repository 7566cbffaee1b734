"""What evidence is asked for."""

from __future__ import annotations

import pytest
import torch

from app.figures.maps import Question
from app.state.session import (
    AVERAGE,
    LIKELIEST,
    LOOKALIKES,
    Display,
)
from app.widgets.display import question
from lafe.explain.outcome import Outcome, outcome

NAMES = ["a", "b", "c", "d"]


def said(names: list[str], logits: torch.Tensor) -> Outcome:
    return outcome(names, logits, logits.softmax(0))


@pytest.mark.parametrize(
    ("target", "versus", "expected"),
    [
        (LIKELIEST, AVERAGE, ("c",)),
        (LIKELIEST, LIKELIEST, ("c", ("a",))),  # the runner-up
        ("b", LIKELIEST, ("b", ("c",))),  # of the others, the likeliest
        ("b", "d", ("b", ("d",))),
        ("b", "b", ("b", ("c",))),  # a class is not compared with itself
        ("of another model", "of another model", ("c", ("a",))),
        (LIKELIEST, LOOKALIKES, ("c", ("a", "b", "d"))),
        ("b", LOOKALIKES, ("b", ("a", "d", "c"))),  # logits 1, 1 and 2 away
    ],
)
def test_what_evidence_is_asked_for(
    target: str, versus: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    first = said(NAMES, torch.tensor([3.0, 2.0, 4.0, 1.0]))
    assert question(Display(target=target, versus=versus), first) == Question(*expected)


def test_a_model_of_one_class_has_no_runner_up() -> None:
    only = said(["a"], torch.tensor([1.0]))
    assert question(Display(versus=LIKELIEST), only) == Question("a")
