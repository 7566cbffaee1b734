"""The records of ``lafe faithfulness``, one a protocol: its sections of ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from lafe.measure.bootstrap import Mean
from lafe.measure.provenance import Provenance


@dataclass(frozen=True)
class CurveSettings:
    """The settings of each photo.  Figures of other settings are never mixed.

    Attributes:
        sha256: of the checkpoint's weights.
        methods: at most ten names of ``lafe.explain.attribution.methods.METHODS``.
        steps: of deletion and insertion, against ``against``.
        stability: how many of the photos are used for randomisation and noise, which are slow.
        bfloat16: whether the passes of the curves are in half precision.
        seed: of all that is drawn.
    """

    sha256: str
    methods: tuple[str, ...]
    steps: int = 16
    against: str = "blur"
    stability: int = 32
    bfloat16: bool = True
    seed: int = 0


@dataclass(frozen=True)
class MapFigures:
    """The figures of one kind of map, as means over photos.

    Attributes:
        measures: by name, see :data:`lafe.measure.faithfulness.summary.MEASURES`; those that were
            not taken are absent.
        pointing_by_part, energy_by_part: by part of the bird.
        sanity: similarity to the map of the model whose layers are random, down to each group.
        defect: whether it stays the same when every weight is random.
        repeatability: similarity under a little noise.
    """

    measures: Mapping[str, Mean | None]
    pointing_by_part: Mapping[str, Mean | None]
    energy_by_part: Mapping[str, Mean | None]
    sanity: Mapping[str, Mean] = field(default_factory=dict)
    defect: bool = False
    repeatability: Mean | None = None


@dataclass(frozen=True)
class Curves:
    """The figures of the protocol ``curves``: maps on test photos.

    Attributes:
        steps_of_methods: of the slow methods.
        right: photos whose predicted class is the true one.
        chance: what a flat map gets, by place.
        maps: by name.
        differences: ``"A - B"`` by measure, paired over photos.
    """

    source: Provenance
    split: str
    settings: CurveSettings
    steps_of_methods: Mapping[str, int]
    photos: int
    right: int
    hours: float
    stability_photos: int
    chance: Mapping[str, Mean | None]
    maps: Mapping[str, MapFigures]
    differences: Mapping[str, Mapping[str, Mean | None]]


@dataclass(frozen=True)
class Protocols:
    """The figures of each protocol; None until it was measured."""

    curves: Curves | None = None


NAMES = tuple(field.name for field in fields(Protocols))
"""Every protocol's name."""


@dataclass(frozen=True)
class Faithfulness:
    """The worth of explanations, by several protocols."""

    protocols: Protocols = field(default_factory=Protocols)
