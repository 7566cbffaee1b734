"""The records of ``lafe faithfulness``, one a protocol: its sections of ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from lafe.measure.bootstrap import Interval, Mean
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
class PartsSettings:
    """The settings of each picture.  Figures of other settings are never mixed.

    Attributes:
        sha256: of the checkpoint's weights.
        methods: names of ``lafe.explain.attribution.methods.METHODS``.
        data: the data set.
        every: of one picture in so many every set of parts is taken away, which is slow; no
            divisor of the number of species, so that it is of another one each time.
        bfloat16: whether passes without parts are in half precision.
        seed: of all that is drawn.
    """

    sha256: str
    methods: tuple[str, ...]
    data: str
    every: int = 41
    bfloat16: bool = True
    seed: int = 0


@dataclass(frozen=True)
class PartMap:
    """FunnyBirds' scores of a kind of map, 1 is best; None where no picture gives one.

    Attributes:
        completeness, correctness, contrastivity, mean: their means over dimensions.
        threshold: the share of a map above which a part counts as important; it suits the map best.
    """

    accuracy: Mean
    csdc: Mean | None
    preservation: Mean
    deletion: Mean
    distractibility: Mean | None
    background: Mean | None
    single_deletion: Mean | None
    target_sensitivity: Mean | None
    completeness: Interval | None
    correctness: Interval | None
    contrastivity: Interval | None
    mean: Interval | None
    threshold: float


@dataclass(frozen=True)
class PlaceShare:
    """The share of a map on some parts; next to it the parts' area, a flat map's share.

    Attributes:
        share: of the map's positive values.
        area: of the picture.
        more: share less area, picture by picture.
    """

    share: Mean
    area: Mean
    more: Mean


@dataclass(frozen=True)
class ClaimMap:
    """The places of a map that asks for one species rather than another of its genus.

    Attributes:
        differing, shared: parts that set the two apart, and parts that they share.
        among: of what lies on parts, what lies on those that differ.
    """

    differing: PlaceShare | None
    shared: PlaceShare | None
    among: PlaceShare | None


@dataclass(frozen=True)
class Reads:
    """The parts that each branch reads: mean Shapley values, by branch and part, in logits.

    Attributes:
        pictures: so many, each without every set of its parts.
        logit: of the true class, centred over the classes.
        margin: of the true class over the mean of its genus, over pictures whose genus varies in
            the part.
    """

    pictures: int
    logit: Mapping[str, Mapping[str, Mean | None]]
    margin: Mapping[str, Mapping[str, Mean | None]]


@dataclass(frozen=True)
class PartsFigures:
    """The figures of the protocol ``parts``: what happens when a part is taken away.

    Attributes:
        right: pictures whose predicted class is the true one.
        steps_of_methods: of the slow methods.
        maps: by name.
        claim: by name of the map; empty where classes have no genus.
        differences: ``"A - B"``: the first map's share on the parts that differ less the second's.
    """

    source: Provenance
    settings: PartsSettings
    steps_of_methods: Mapping[str, int]
    pictures: int
    right: int
    hours: float
    maps: Mapping[str, PartMap]
    claim: Mapping[str, ClaimMap]
    differences: Mapping[str, Mean | None]
    reads: Reads | None


@dataclass(frozen=True)
class Scores:
    """The figures of a protocol that has one table.

    Attributes:
        photos: how many photos, or mosaics of photos, there are.
        settings: numbers that decide what is measured, by name.
        rows: by map or by variant, the figures by name.
    """

    source: Provenance
    split: str
    photos: int
    hours: float
    settings: Mapping[str, float]
    rows: Mapping[str, Mapping[str, Mean | None]]


@dataclass(frozen=True)
class Protocols:
    """The figures of each protocol; None until it was measured."""

    curves: Curves | None = None
    parts: PartsFigures | None = None
    grid: Scores | None = None
    drop: Scores | None = None
    idsds: Scores | None = None
    swap: Scores | None = None


NAMES = tuple(field.name for field in fields(Protocols))
"""Every protocol's name."""


@dataclass(frozen=True)
class Faithfulness:
    """The worth of explanations, by several protocols."""

    protocols: Protocols = field(default_factory=Protocols)
