"""Deletion and insertion of maps, as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from lafe.explain.attribution.methods import METHODS
from lafe.measure.faithfulness.curves import Curves
from lafe.render.palette import CON, DIS, OFF, OTHERS

from ..state.explanations import RANDOM
from .style import styled

SHARE = {"deletion": "Share of the photo that is gone", "insertion": "Share that is back"}


def deletion_or_insertion(
    found: Mapping[str, Curves], chance: Sequence[Curves], kind: str
) -> go.Figure:
    """The probability of the class over the share of pixels that have changed, by map.

    Args:
        found: curves by the name of a method.
        chance: those of random orders, drawn as the band that they span.
        kind: ``"deletion"`` or ``"insertion"``.
    """
    figure = go.Figure()
    if chance:
        at_step = list(zip(*(getattr(c, kind) for c in chance), strict=True))
        x = _shares(len(at_step))
        band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        figure.add_scatter(x=x, y=list(map(min, at_step)), showlegend=False, **band)
        figure.add_scatter(
            x=x, y=list(map(max, at_step)), name=f"{RANDOM}, {len(chance)} draws",
            fill="tonexty", fillcolor=OFF, opacity=0.5, **band,
        )  # fmt: skip
    for name, curve in found.items():
        scores = getattr(curve, kind)
        figure.add_scatter(
            x=_shares(len(scores)), y=scores, name=title(name), line={"color": _colour(name)}
        )
    figure.update_xaxes(range=[0, 1], tickformat=".0%", title=SHARE[kind])
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", title="Probability of the class")
    figure.update_layout(legend={"orientation": "h", "y": -0.3})
    return styled(figure, 360)


def _shares(steps: int) -> list[float]:
    return [step / (steps - 1) for step in range(steps)]


def title(name: str) -> str:
    """A method, for people."""
    return METHODS[name].title


def _colour(name: str) -> str:
    """Blue is discriminative and vermilion confusable, as everywhere; the same in all panels."""
    if name == "D" or "dis" in name:
        return DIS
    if name == "C" or "con" in name:
        return CON
    return OTHERS[list(METHODS).index(name) % len(OTHERS)]
