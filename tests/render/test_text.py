"""Numbers as people read them."""

from __future__ import annotations

import ast
from pathlib import Path

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
        (-0.0, ".3g", "0"),
    ],
)
def test_a_zero_has_no_sign(value: float, form: str, text: str) -> None:
    assert number(value, form) == text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.0123, ".3g", "0.0123"),
        (0.000136, ".3g", "0.000136"),
        (1e-4, ".3g", "0.0001"),
        (6.54e-05, ".3g", "<0.0001"),
        (-6.54e-05, "+.3g", ">\N{MINUS SIGN}0.0001"),
        (5e-324, ".3g", "<0.0001"),
        (0.0, "+.3g", "0"),
        (999.4, ".3g", "999"),
        (999.9, ".3g", "1,000"),
        (1234.4, ".3g", "1,234"),
        (-1234.4, "+.3g", "\N{MINUS SIGN}1,234"),
        (7.1e6, "+.2g", "+7,100,000"),
    ],
)
def test_no_number_is_a_power_of_ten(value: float, form: str, text: str) -> None:
    assert number(value, form) == text


ROOT = Path(__file__).resolve().parents[2]


def test_numbers_with_a_sign_are_written_by_one_function() -> None:
    files = [f for p in ("app", "lafe/render", "lafe/measure") for f in (ROOT / p).rglob("*.py")]
    assert len(files) > 80
    found = [
        f"{file.name}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and ast.unparse(node.format_spec).removeprefix("f'").startswith("+")
    ]
    assert found == []
