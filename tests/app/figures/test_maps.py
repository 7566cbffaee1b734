"""Scales of maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.figures import maps

NAMES = ["a", "b", "c", "d"]


def test_one_scale_holds_all_maps_and_is_centred_where_one_is_signed() -> None:
    low, high, minus = (
        maps.Layer("", np.full((2, 2), value, np.float32), "") for value in (1, 3, -5)
    )
    off = maps.Layer("", None, "")
    assert maps.scale([low, high, off]) == maps.Scale((1, 3), signed=False)
    assert maps.scale([low, replace(high, signed=True)]) == maps.Scale((-3, 3), signed=True)
    assert maps.scale([low, minus]) == maps.Scale((-5, 5), signed=True)
    assert maps.scale([off]) is None
