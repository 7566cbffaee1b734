"""Numbers as people read them."""

from __future__ import annotations


def percent(probability: float) -> str:
    """A probability for people: what is not 0 or 1 is not called so."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


SMALLEST = 1e-4
"""Numbers nearer to 0 are only said to be so, where no digits after the point are asked for."""


def number(value: float, form: str = ".3g") -> str:
    """A number for people: a real minus sign, none before what is printed as zero, no powers of 10.

    ``form`` is of a format string, without ``z``; of its types, ``f`` or ``g``.
    """
    if form.endswith("g") and 0 < abs(value) < SMALLEST:
        return f"<{SMALLEST}" if value > 0 else f">\N{MINUS SIGN}{SMALLEST}"
    text = f"{value:z{form.removeprefix('+')}}"
    if "e" in text:
        text = f"{value:,.0f}"
    sign = "+" if form.startswith("+") and value > 0 and float(text.replace(",", "")) else ""
    return sign + text.replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """A time that something will take, for people."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"
