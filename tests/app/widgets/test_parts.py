"""Pieces that all pages share."""

from __future__ import annotations

from app.widgets.parts import plain

NAMES = ["a", "b", "c", "d"]


def test_plain_text_has_no_markup_left() -> None:
    nasty = "*a* _b_ [c](d) `e` :red[f] $g$ # <b>h</b> ![i](j) :material/home:"
    escaped = plain(nasty)
    assert escaped.replace("\\", "") == nasty
    for sign in "*_[]()`:$#<>!":
        assert escaped.count(sign) == escaped.count("\\" + sign)
