"""The word of a panel on a photo; a model that cannot be used spoils its own panel only."""

from __future__ import annotations

from dataclasses import dataclass

from lafe.branches import Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.levels import levels_of
from lafe.explain.answer import Answer, answer
from lafe.explain.levels import Level, depth
from lafe.explain.outcome import Outcome, outcome
from lafe.explain.router import OTHER

from . import models
from .models import ModelError
from .session import Panel, Photo, Visit


@dataclass(frozen=True, eq=False)
class Look:
    """A panel, its model, and what that says of a photo."""

    panel: Panel
    checkpoint: str
    model: Trained
    outcome: Outcome
    familiar: bool

    @property
    def card(self) -> Card:
        """The card of the model."""
        return self.model.card


def look(photo: Photo, panel: Panel, checkpoint: str, *, raw: bool = False) -> Look | ModelError:
    """Look at a photo as a panel does."""
    try:
        model = models.model(checkpoint)
        ready = models.under(photo, panel, model)
        familiar = is_familiar(photo, model)
    except ModelError as error:
        return error
    p = ready.probabilities(panel.switches, calibrated=not raw)
    found = outcome(model.card.classes, ready.logits(panel.switches), p)
    return Look(panel, checkpoint, model, found, familiar)


def looks(visit: Visit, photo: Photo) -> list[Look | ModelError]:
    """Look at a photo as every panel does; each photo has its own model."""
    return [
        look(photo, p, p.checkpoint or photo.checkpoint or visit.checkpoint or "",
             raw=visit.display.raw)
        for p in visit.panels
    ]  # fmt: skip


def answered(photo: Photo, panel: Panel, checkpoint: str, *, raw: bool = False) -> Answer:
    """A panel's answer, and what would change it; raises ModelError."""
    model = models.model(checkpoint)
    return answer(
        models.under(photo, panel, model),
        panel.switches,
        calibrated=not raw,
        familiar=is_familiar(photo, model),
    )


def surer(photo: Photo, panel: Panel, checkpoint: str) -> Level | None:
    """The finest coarser group that is sure, where the class itself is not; None where none is."""
    model = models.model(checkpoint)
    if not levels_of(str(model.card.data.get("name", "")), model.card.classes):
        return None
    found = depth(models.under(photo, panel, model), switches=panel.switches)
    deepest = found.deepest
    return None if deepest == found.levels[0] else deepest


def is_familiar(photo: Photo, model: Trained) -> bool:
    """Ask whether a photo shows what a model knows: the router, or the model, may say no."""
    return photo.kind != OTHER and not models.is_unknown(photo, model)


FULL_PANEL = Panel(Switches.all())
"""A panel for pages that are about a model, not about a setting."""
