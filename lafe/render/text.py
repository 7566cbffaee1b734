"""Numbers as people read them."""

from __future__ import annotations


def percent(probability: float) -> str:
    """A probability for people: what is not 0 or 1 is not called so."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def number(value: float, form: str = ".3g") -> str:
    """A number for people, with a real minus sign, and no sign before what is printed as zero.

    ``form`` is of a format string, without ``z``.
    """
    text = f"{value:z{form.removeprefix('+')}}"
    sign = "+" if form.startswith("+") and value > 0 and float(text) else ""
    return sign + text.replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """A time that something will take, for people."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"
