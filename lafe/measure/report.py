"""``report.json``: what was measured of a checkpoint's weights.  Its only reader and writer.

A section is one frozen dataclass and one field of :class:`Report`; it belongs to the command that
writes it, and :func:`update` leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lafe.measure import records
from lafe.measure.bootstrap import Interval, Mean
from lafe.measure.protocols import Faithfulness
from lafe.measure.provenance import Provenance
from lafe.measure.records import ReportError

REPORT = "report.json"

Grid = tuple[tuple[float, ...], ...]
"""A value for each branch: rows are STAGES, columns BRANCHES."""


class StaleReportError(ReportError):
    """A report of other weights than the checkpoint's."""


@dataclass(frozen=True)
class Training:
    """The training run of a card: photos trained on and held out, the epoch kept, hours.

    The hours include those of the runs that it started from.
    """

    photos: int
    held_out: int
    best_epoch: int
    hours: float

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> Training | None:
        """The training in a card's field of that name; None where the card does not say it."""
        if not {"photos", "held_out", "best_epoch", "hours"} <= training.keys():
            return None
        return cls(
            training["photos"], training["held_out"], training["best_epoch"], hours_of(training)
        )


def hours_of(training: Mapping[str, Any]) -> float:
    """Hours of a run and of those that it started from, from the field ``training`` of a card."""
    before = training.get("started_from")
    own: float = training["hours"]
    return own + (hours_of(before["training"]) if before else 0.0)


@dataclass(frozen=True)
class Accuracy:
    """Shares of photos, and the expected calibration error."""

    top1: float
    top5: float
    ece: float


@dataclass(frozen=True)
class Bin:
    """Photos whose top probability is alike: how many, how sure on average, how often right."""

    photos: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Confusion:
    """Photos of one class that are taken for another."""

    true: str
    predicted: str
    photos: int


@dataclass(frozen=True)
class Mended(Confusion):
    """A confusion, and the branch without which the most of its photos come right, if any do."""

    mended: int
    branch: str | None = None


@dataclass(frozen=True)
class Slice(Mean):
    """Top-1 on a subset of the photos."""

    name: str


@dataclass(frozen=True)
class Terms:
    """One figure of each term of the logit (Eq. 3)."""

    f5: float
    D: float
    C: float


@dataclass(frozen=True)
class Sides:
    """One figure of each side."""

    D: float
    C: float


@dataclass(frozen=True)
class Changes(Sides):
    """Shares of predictions that change without a side, and without both."""

    both: float


@dataclass(frozen=True)
class BranchFigures:
    """Measures of whether the branches matter.  Logits are centred over the classes; C's are of -C.

    Attributes:
        share: mean of ``|full - none| / (|full - none| + |none|)`` of the predicted class's logit.
        logit_of_predicted: what each term adds to it, mean.
        changes_without: of predictions.
        margin_added: of the true class over the full model's strongest other class, mean.
        cosine_with_f5: of the pooled maps.
        linear_probe_top1: of a logistic regression on each pooled map, fitted to training photos.
    """

    share: float
    logit_of_predicted: Terms
    changes_without: Changes
    margin_added: Sides
    cosine_with_f5: Sides
    linear_probe_top1: Terms


@dataclass(frozen=True)
class BranchOff:
    """The model without one branch: top-1, and the share of predictions that change."""

    top1: float
    changed: float


@dataclass(frozen=True)
class Worth:
    """Exact Shapley values, as means over photos.

    Attributes:
        of: what is shared out among the branches.
        mean: over all photos.
        by_class: over those of each class.
    """

    of: str
    mean: Grid
    by_class: tuple[Grid, ...]


@dataclass(frozen=True)
class Switching:
    """One branch at a time, at inference, by name (``r_dis3``)."""

    photos: int
    branch_off: Mapping[str, BranchOff]
    shapley: Worth
    confused: tuple[Mended, ...]


@dataclass(frozen=True)
class AgainstPlain:
    """The full model against a plain backbone that was trained apart, photo by photo.

    Attributes:
        recipe_differences: fields in which the recipes differ, with both values.
        difference: of top-1, paired over photos.
    """

    plain_top1: float
    plain_sha256: str
    plain_training: Training | None
    recipe_differences: Mapping[str, tuple[Any, Any]]
    difference: Interval
    only_full_right: int
    only_plain_right: int


@dataclass(frozen=True)
class UnknownScore:
    """A score below whose threshold a photo looks unknown.

    Attributes:
        threshold: accepts 95 % of held-out photos of the model's own kind.
        own_test_refused: share of its test photos below the threshold.
        caught: share of the photos of other data sets below it.
        left_out: share of the model's own test photos below it once the score knows nothing of
            their class: neither its mean nor its logit.
        choosing: the mean of such shares over other photos, by which a score is chosen: half of
            each other data set, and held-out photos whose class is left out.
    """

    threshold: float
    own_test_refused: float
    caught: Mapping[str, float]
    left_out: float | None = None
    choosing: float | None = None


@dataclass(frozen=True)
class Tempered:
    """A preset's temperature, and the calibration error with it."""

    temperature: float
    ece: float


@dataclass(frozen=True)
class Calibration:
    """Probabilities as people are shown them.

    Attributes:
        fitted_on: how many photos that were held out from training.
        presets: by name.
        reliability: of the full setting.
    """

    fitted_on: int
    presets: Mapping[str, Tempered]
    reliability: tuple[Bin, ...]


@dataclass(frozen=True)
class Evaluation:
    """The figures of ``lafe evaluate`` on the test split.

    Attributes:
        presets: by name of the setting, at inference; calibration errors and ``reliability`` are
            those of the softmax of the logits as they are.
        top1_interval: of the full setting.
        unknown: by kind of score.
    """

    source: Provenance
    split: str
    photos: int
    classes: int
    presets: Mapping[str, Accuracy]
    top1_interval: Interval
    reliability: tuple[Bin, ...]
    confused: tuple[Confusion, ...]
    slices: tuple[Slice, ...]
    branches: BranchFigures | None = None
    switching: Switching | None = None
    against_plain: AgainstPlain | None = None
    unknown: Mapping[str, UnknownScore] = field(default_factory=dict)
    calibration: Calibration | None = None

    @property
    def shown_error(self) -> dict[str, float]:
        """The calibration error of the probabilities that people are shown, by preset."""
        shown = self.calibration.presets if self.calibration else self.presets
        return {name: preset.ece for name, preset in shown.items()}

    @property
    def shown_reliability(self) -> tuple[Bin, ...]:
        """The reliability of the same probabilities, under the full setting."""
        return self.calibration.reliability if self.calibration else self.reliability


@dataclass(frozen=True)
class StandIn:
    """The full model whose gates are replaced, against its own gates.

    Attributes:
        top1: mean over the draws.
        changed: share of predictions that change.
        cost: top-1 that is lost, paired over photos.
        draws: how often it was drawn.
    """

    top1: float
    changed: float
    cost: Interval
    draws: int


@dataclass(frozen=True)
class GateFigures:
    """Measures of whether a gate follows the photo.

    Attributes:
        mean: over photos and its places or channels.
        deviation: over photos, on average over places or channels, as a part of the mean.
        photo_share: share of its variance that belongs to the photo, not to the place or channel.
    """

    mean: float
    deviation: float
    photo_share: float


@dataclass(frozen=True)
class Likeness:
    """The likeness of two maps, on average over photos; None where no photo has both.

    Attributes:
        spearman: rank correlation over places of their means over channels.
        top_fifth: overlap of the highest fifth of places; chance is 0.2.
    """

    spearman: Mean | None
    top_fifth: Mean | None


@dataclass(frozen=True)
class Margins:
    """Leads of the true class that ``D`` and ``-C`` add, over the plain rival: the wrong class with
    the highest logit when all branches are off."""

    D: Interval
    C: Interval


@dataclass(frozen=True)
class LikelihoodGain:
    """Negative log-likelihood with all branches off minus that of the full model.

    Both sides have a temperature of their own, fitted on photos held out from training.
    """

    gain: Interval
    full_temperature: float
    plain_temperature: float


@dataclass(frozen=True)
class Attention:
    """Measures of whether the branches attend to the photo, over the test split.

    Attributes:
        top1: with the learned gates.
        stand_ins: by what replaces them, see :mod:`lafe.measure.attention`.
        gates: by branch.
        maps: by the pair that is compared.
        randomised: by side, its map against that of branches and fusions with random weights.
        off: by branch or preset that is off.
        likelihood: None where no photo was held out.
        verdict: one sentence, written from these numbers.
    """

    source: Provenance
    photos: int
    top1: float
    stand_ins: Mapping[str, StandIn]
    gates: Mapping[str, GateFigures]
    maps: Mapping[str, Likeness]
    randomised: Mapping[str, Likeness]
    margins: Margins
    off: Mapping[str, BranchOff]
    likelihood: LikelihoodGain | None
    verdict: str


@dataclass(frozen=True)
class Report:
    """All that was measured of some weights; a section is None until its command has run."""

    checkpoint: str
    sha256: str
    evaluation: Evaluation | None = None
    faithfulness: Faithfulness | None = None
    attention: Attention | None = None


def read(folder: Path, sha256: str) -> Report | None:
    """The report in a checkpoint's folder; None if there is none.

    Args:
        folder: of the checkpoint.
        sha256: of its weights.

    Raises:
        ReportError: a file that cannot be used; :class:`StaleReportError` if it is about other
            weights.
    """
    file = folder / REPORT
    if not file.exists():
        return None
    report = records.read(file, Report)
    if report.sha256 != sha256:
        raise StaleReportError(
            f"{file} describes other weights than this checkpoint's: run `lafe evaluate` again."
        )
    return report


def check(folder: Path, sha256: str) -> None:
    """Raise what :func:`update` would raise, before the work and not after it."""
    with suppress(StaleReportError):
        read(folder, sha256)


def update(folder: Path, checkpoint: str, sha256: str, **sections: Any) -> Report:
    """Write sections into a checkpoint's report; those of the same weights stay, others go.

    Raises:
        ReportError: the report that is there cannot be read, or a section is not as it should be.
    """
    try:
        known = read(folder, sha256)
    except StaleReportError:
        known = None
    report = replace(known or Report(checkpoint, sha256), **sections)
    records.write(folder / REPORT, report)
    return report


def update_protocol(folder: Path, checkpoint: str, sha256: str, **protocol: Any) -> Report:
    """Write what a protocol of ``lafe faithfulness`` measured; the other protocols stay.

    Raises: as :func:`update`.
    """
    check(folder, sha256)
    try:
        known = read(folder, sha256)
    except StaleReportError:
        known = None
    before = (known and known.faithfulness) or Faithfulness()
    found = replace(before, protocols=replace(before.protocols, **protocol))
    return update(folder, checkpoint, sha256, faithfulness=found)
