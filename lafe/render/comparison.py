"""One photo under a few settings: what each predicts, its maps, and how its logit adds up.

This is what people take away: as a figure (:mod:`lafe.render.figure`), as a page to print
(:mod:`lafe.render.printout`), and as a folder or an archive of everything
(:mod:`lafe.render.bundle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lafe.branches import Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.photo import WHOLE, Box, crop
from lafe.errors import LafeError
from lafe.explain.controls import Controls
from lafe.explain.evidence import Evidence, evidence
from lafe.explain.maps import Map, map_of
from lafe.explain.prepare import Fused, Prepared, prepare
from lafe.explain.unknown import looks_unknown
from lafe.render import labels
from lafe.render.labels import LETTERS, MAPS
from lafe.render.overlay import RGB, Range, overlay, value_range
from lafe.render.pictures import view

OPACITY = 0.55


class ComparisonError(LafeError):
    """Too many settings for one figure, or none."""


class Choice(NamedTuple):
    """The choices of a panel: a model, a setting, and what stands in for learned gates.

    ``other`` is the photo whose gates stand in, where the controls ask for another photo's.
    """

    model: Trained
    switches: Switches
    controls: Controls = Controls()
    other: Image.Image | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """A photo under one setting of one model.

    Attributes:
        letter: A, B, ...
        switches: the setting.
        prepared: the photo's features, under the setting's controls.
        fused: ``D``, ``C``, ``F_5`` and the logits.
        evidence: for the predicted class rather than the mean over all classes.
        picture: the part of the photo that the model sees, in the photo's own proportions.
        familiar: whether the photo looks like what the model knows.
    """

    letter: str
    switches: Switches
    prepared: Prepared
    fused: Fused
    evidence: Evidence
    picture: Image.Image
    familiar: bool

    @property
    def card(self) -> Card:
        return self.prepared.card

    @property
    def model_title(self) -> str:
        return self.card.title or self.card.name

    @property
    def setting(self) -> str:
        """The preset's name, or the switches that are on; and the gates that are not learned."""
        parts = labels.setting(self.switches), labels.stand_ins(self.controlled)
        return ", ".join(filter(None, parts))

    @property
    def controlled(self) -> dict[str, Switches]:
        """The branches that are on with a stand-in for the learned gate."""
        return self.prepared.controls.in_force(self.switches)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(K,) in label order."""
        return self.fused.probabilities.cpu().numpy()

    @property
    def centred_logits(self) -> NDArray[np.float32]:
        """(K,) in label order: what is common to all classes says nothing about one."""
        logits = self.fused.logits.float()
        return (logits - logits.mean()).cpu().numpy()

    def top(self, count: int | None = None) -> list[tuple[str, float]]:
        """The likeliest classes (all of them by default) with their probabilities."""
        p = self.probabilities
        return [(self.card.classes[k], float(p[k])) for k in _order(p)[:count]]

    def map(self, key: str) -> Map | None:
        """One of ``MAPS``, (H_5, W_5), as the mean over its channels; None where it is off."""
        if key != "final" and not len(self.switches.side(key)):
            return None
        return map_of({"final": self.fused.F5, "dis": self.fused.D, "con": self.fused.C}[key])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that is on, as it is: logits, maps, evidence."""
        found = {"logits": self.fused.logits.float().cpu().numpy()}
        found |= {key: heat for key in MAPS if (heat := self.map(key)) is not None}
        for branch in self.switches:
            if branch in self.prepared.gates:
                found[str(branch)] = map_of(self.prepared.branch_map(branch))
        for term in ("backbone", "dis", "con"):
            found[f"evidence_{term}"] = getattr(self.evidence, term).cpu().numpy()
        return found

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        p, logits = self.probabilities.tolist(), self.centred_logits.tolist()
        return {
            "letter": self.letter,
            "checkpoint": {
                "name": self.card.name,
                "title": self.model_title,
                "sha256": self.card.sha256,
                "licence": self.card.licence,
            },
            "switches": str(self.switches),
            "on": [str(branch) for branch in self.switches],
            "controls": {mode: str(on) for mode, on in self.controlled.items()}
            | ({"seed": self.prepared.controls.seed} if "shuffled" in self.controlled else {}),
            "familiar": self.familiar,
            "classes": [
                {
                    "class": self.card.classes[k],
                    "label": k,
                    "probability": p[k],
                    "centred_logit": logits[k],
                }
                for k in _order(self.probabilities)
            ],
            "evidence": {"class": self.top(1)[0][0], "centred_logit": self.evidence.logit}
            | self.evidence.steps,
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """A photo under several settings, side by side.

    Attributes:
        photo: the part that was looked at, RGB, without metadata.
        box: where it was cut out, as fractions of the sides.
        panels: one for each setting.
    """

    photo: Image.Image
    box: Box
    panels: tuple[Panel, ...]

    def scale(self, key: str) -> tuple[Range, bool] | None:
        """One range for a map in all panels, and whether it is signed; None where all are off."""
        maps = [heat for panel in self.panels if (heat := panel.map(key)) is not None]
        if not maps:
            return None
        signed = key == "final"  # a difference; D and C are sums of what is not below zero
        return value_range(maps, signed=signed), signed

    def painted(self, panel: Panel, key: str, opacity: float = OPACITY) -> RGB | None:
        """A panel's map over its picture, on the scale of all panels; None where it is off."""
        heat, scale = panel.map(key), self.scale(key)
        if heat is None or scale is None:
            return None
        values, signed = scale
        return overlay(panel.picture, heat, opacity=opacity, value_range=values, signed=signed)


def compare(photo: Image.Image, choices: Sequence[Choice], box: Box = WHOLE) -> Comparison:
    """Evaluate a photo, a panel for each choice; each model reads the photo once.

    Args:
        photo: upright RGB, as :func:`lafe.open_photo` gives it.
        choices: one to eight; the models have a card, as :func:`lafe.load` gives them.
        box: the part to look at: left, top, right, bottom as fractions.

    Raises:
        ComparisonError: no choice, or more than eight.
        lafe.PhotoError: a box that is no part of the photo.
    """
    _require_few(choices)
    part = crop(photo, box)
    prepared: dict[int, Prepared] = {}
    panels = []
    for letter, (model, switches, controls, other) in zip(LETTERS, choices, strict=False):
        if id(model) not in prepared:
            prepared[id(model)] = prepare(model, part)
        learned = prepared[id(model)]
        here = learned.under(controls, None if other is None else prepare(model, other))
        # The threshold was measured under the full setting.
        familiar = not looks_unknown(learned)
        panels.append(_panel(letter, part, model, here, switches, familiar))
    return Comparison(part, box, tuple(panels))


def compare_prepared(
    part: Image.Image, photo: Prepared, settings: Sequence[Switches], box: Box = WHOLE
) -> Comparison:
    """Evaluate a photo whose features are known, a panel for each setting.

    Args:
        part: the picture that was prepared.
        photo: with its model's learned gates.
        settings: one to eight.
        box: the part of the whole photo that was looked at.

    Raises:
        ComparisonError: no setting, or more than eight.
    """
    _require_few(settings)
    assert isinstance(photo.model, Trained)
    familiar = not looks_unknown(photo)
    panels = [
        _panel(letter, part, photo.model, photo, switches, familiar)
        for letter, switches in zip(LETTERS, settings, strict=False)
    ]
    return Comparison(part, box, tuple(panels))


def _require_few(settings: Sequence[object]) -> None:
    if not 1 <= len(settings) <= len(LETTERS):
        raise ComparisonError(f"One to {len(LETTERS)} settings are compared, not {len(settings)}.")


def _panel(
    letter: str,
    part: Image.Image,
    model: Trained,
    photo: Prepared,
    switches: Switches,
    familiar: bool,
) -> Panel:
    return Panel(
        letter,
        switches,
        photo,
        photo.fused(switches),
        evidence(photo, switches=switches, versus="mean"),
        view(part, model.preprocess),
        familiar,
    )


def _order(probabilities: NDArray[np.float32]) -> list[int]:
    order: list[int] = np.argsort(-probabilities, kind="stable").tolist()
    return order
