"""Deletion and insertion of maps, as curves."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from lafe.explain.attribution.methods import METHODS
from lafe.measure.faithfulness.curves import Curves
from lafe.render.palette import CON, DIS, FAINT, OTHERS

from ..state.explanations import RANDOM
from .style import styled


def deletion_or_insertion(found: Mapping[str, Curves], kind: str) -> go.Figure:
    """The probability of the class over the share of pixels that have changed, by map.

    Args:
        found: curves by the name of a method, or ``RANDOM``.
        kind: ``"deletion"`` or ``"insertion"``.
    """
    figure = go.Figure()
    for name, curve in found.items():
        scores = getattr(curve, kind)
        figure.add_scatter(
            x=[step / (len(scores) - 1) for step in range(len(scores))],
            y=scores,
            name=title(name),
            line={"color": _colour(name), "dash": "dot" if name == RANDOM else "solid"},
        )
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    figure.update_layout(legend={"orientation": "h", "y": -0.15})
    return styled(figure, 320)


def title(name: str) -> str:
    """A method, for people."""
    return METHODS[name].title if name in METHODS else name


def _colour(name: str) -> str:
    """Blue is discriminative and vermilion confusable, as everywhere; the same in all panels."""
    if name == RANDOM:
        return FAINT
    if name == "D" or "dis" in name:
        return DIS
    if name == "C" or "con" in name:
        return CON
    return OTHERS[list(METHODS).index(name) % len(OTHERS)]
