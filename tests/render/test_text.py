"""Numbers as people read them."""

from __future__ import annotations

import pytest

from lafe.render.text import number, percent


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "0.0%"), (1e-6, "<0.1%"), (0.5, "50.0%"), (0.99951, ">99.9%"), (1, "100.0%")],
)
def test_percent_says_neither_never_nor_always(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.04, "+.1f", "0.0"),
        (0.04, "+.1f", "0.0"),
        (0.0, "+.2f", "0.00"),
        (float("inf"), "+.1f", "+inf"),
        (-0.06, "+.1f", "\N{MINUS SIGN}0.1"),
        (0.06, "+.1f", "+0.1"),
        (-1234.5, ".3g", "\N{MINUS SIGN}1.23e+03"),
        (-0.0, ".3g", "0"),
    ],
)
def test_a_zero_has_no_sign(value: float, form: str, text: str) -> None:
    assert number(value, form) == text
