"""How the model is built, as SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from app.figures.diagram import diagram
from lafe import PRESETS, Switches

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("switches", PRESETS.values(), ids=list(PRESETS))
def test_the_diagram_shows_what_is_on(switches: Switches, upright: bool) -> None:
    svg = ElementTree.fromstring(diagram(switches, upright=upright))
    found = {
        g.get("data-switch"): g.get("aria-checked") == "true"
        for g in svg.iter()
        if g.get("role") == "switch"
    }
    assert found == {
        f"{branch}{stage}": switches[stage, branch]
        for stage in (3, 4, 5)
        for branch in ("r_dis", "r_con", "c_dis", "c_con")
    }
