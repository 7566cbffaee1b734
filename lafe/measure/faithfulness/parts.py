"""FunnyBirds' scores: does a map name the parts that matter to the model?

What matters is found by taking parts, and things beside the bird, out of the picture.  A map's say
on a part is its sum over the part's mask; a part is *important* above a share of the whole map, and
that share, one of 80 thresholds, is chosen at the end, where it suits the map best.

Source: Hesse, Schaub-Meyer, Roth, *FunnyBirds: a synthetic vision dataset for a part-based analysis
of explainable AI methods*, ICCV 2023, section 4, and their evaluation code.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import cv2
import numpy as np
from scipy.stats import spearmanr

from lafe.errors import LafeError

Parts = frozenset[str]
Looks = Mapping[str, Hashable]
"""The look of each part of a class."""

THRESHOLDS = np.linspace(0.01, 0.5, 80)
SLIGHT = 0.05  # of a score: a change by less says that what was taken away did not matter
REACH = 2  # pixels that a mask is grown by, at 256 px


class NothingMeasuredError(LafeError):
    """No picture gave a score its value."""


def part_importance(
    heat: np.ndarray, masks: Mapping[str, np.ndarray], reach: int = REACH
) -> dict[str, float]:
    """A map's importance of each part: its sum over the part's mask, grown by `reach` pixels.

    Shape: heat (S, S), of any sign; masks (S, S) bool.
    """
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    return {
        part: float(heat[cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)].sum())
        for part, mask in masks.items()
    }


def important_parts(
    importance: Mapping[str, float], total: float, thresholds: Iterable[float] = THRESHOLDS
) -> tuple[Parts, ...]:
    """The parts above each threshold, which is a share of `total`, the sum of the whole map."""
    return tuple(
        frozenset(part for part, value in importance.items() if value > share * total)
        for share in thresholds
    )


def minimal_sufficient_sets(classes: Sequence[Looks], label: int) -> tuple[Parts, ...]:
    """The smallest sets of parts by whose looks alone class `label` is told from all others.

    Smallest: without any one of its parts, a set would fit another class as well.
    """
    own = classes[label]
    others = [
        frozenset(part for part in own if own[part] == looks[part])
        for i, looks in enumerate(classes)
        if i != label
    ]
    found: list[Parts] = []
    for size in range(1, len(own) + 1):
        for chosen in map(frozenset, combinations(own, size)):
            smaller = any(known <= chosen for known in found)
            if not smaller and not any(chosen <= shared for shared in others):
                found.append(chosen)
    return tuple(found)


def csdc(important: Sequence[Parts], sufficient: Sequence[Parts]) -> np.ndarray:
    """The controlled synthetic data check: (K,) how much of a sufficient set is found important.

    Of several sets, the one that is found best.  For pictures that the model classifies rightly.

    Args:
        important: parts for each of K thresholds, by a map of the true class.
        sufficient: the minimal sufficient sets of the true class.
    """
    return np.array(
        [max(len(known & found) / len(known) for known in sufficient) for found in important]
    )


def preservation(
    important: Sequence[Parts], parts: Parts, predict: Callable[[Parts], int]
) -> np.ndarray:
    """The preservation check: (K,) 1 where the important parts alone keep the prediction.

    Args:
        important: parts for each of K thresholds, by a map of the predicted class.
        parts: all parts of the bird.
        predict: the class that is predicted without some parts; asked again for the same ones.
    """
    whole = predict(frozenset())
    return np.array([float(predict(parts - found) == whole) for found in important])


def deletion(important: Sequence[Parts], predict: Callable[[Parts], int]) -> np.ndarray:
    """The deletion check: (K,) 1 where the prediction changes without the important parts.

    Args: as of :func:`preservation`.
    """
    whole = predict(frozenset())
    return np.array([float(predict(found) != whole) for found in important])


def irrelevant(score: float, without: Mapping[str, float]) -> Parts:
    """Parts that may go: without them the score falls by less than 5 %, or rises.

    Args:
        score: the class's score for the whole picture.
        without: its score without each part, and without each thing beside the bird.
    """
    return frozenset(
        name
        for name, less in without.items()
        if abs(score - less) < SLIGHT * abs(score) or less > score
    )


def distractibility(important: Sequence[Parts], useless: Parts) -> np.ndarray | None:
    """(K,) 1 less the share of the irrelevant parts and things that are found important.

    None if all matter.

    Args:
        important: parts *and things* for each of K thresholds, by a map of the true class.
        useless: what is :func:`irrelevant` to the true class's score.
    """
    if not useless:
        return None
    return np.array([1 - len(found & useless) / len(useless) for found in important])


def single_deletion(
    importance: Mapping[str, float], score: float, without: Mapping[str, float]
) -> float | None:
    """Spearman's correlation of the parts' importances and the scores' falls, from 0 to 1.

    None where it is undefined, since all importances or all falls are equal.

    Args:
        importance: of each part, by a map of the true class.
        score: the true class's for the whole picture.
        without: the score without each part.
    """
    said = [importance[part] for part in without]
    falls = [score - less for less in without.values()]
    if len(set(said)) < 2 or len(set(falls)) < 2:
        return None
    return float(spearmanr(falls, said).statistic / 2 + 0.5)


@dataclass(frozen=True)
class Rivals:
    """Two classes that each share with the true one what the other does not.

    Attributes:
        first, second: the classes.
        of_first: parts that the true class shares with the first alone.
        of_second: parts that the true class shares with the second alone.
    """

    first: int
    second: int
    of_first: Parts
    of_second: Parts


def rivals(classes: Sequence[Looks], label: int, distance: int) -> Rivals | None:
    """The first two classes that differ from class `label` in `distance` parts and share least.

    FunnyBirds takes distance 3 of 5 parts and wants that no shared part is shared by both; in
    PartBirds that cannot be, at distance 1, and the parts that both share say nothing.  None if no
    pair shares something each alone.
    """
    own = classes[label]
    shared = {
        i: frozenset(part for part in own if own[part] == looks[part])
        for i, looks in enumerate(classes)
        if i != label
    }
    near = [i for i, parts in shared.items() if len(own) - len(parts) == distance]
    pairs = [
        (a, b) for a, b in combinations(near, 2) if shared[a] - shared[b] and shared[b] - shared[a]
    ]
    if not pairs:
        return None
    a, b = min(pairs, key=lambda pair: len(shared[pair[0]] & shared[pair[1]]))
    return Rivals(a, b, shared[a] - shared[b], shared[b] - shared[a])


def expects_contrast(
    without_of_first: tuple[float, float], without_of_second: tuple[float, float]
) -> bool:
    """True if the model itself takes each rival's parts for its own.

    Each rival should lose more without the parts that are its own than without the other's; else
    the picture says nothing of target sensitivity.

    Args:
        without_of_first: scores of the first and of the second rival, without `of_first`.
        without_of_second: the same without `of_second`.
    """
    return without_of_first[0] < without_of_second[0] and without_of_second[1] < without_of_first[1]


def target_sensitivity(
    pair: Rivals, for_first: Mapping[str, float], for_second: Mapping[str, float]
) -> float:
    """0, 0.5 or 1: a rival's own parts count more in its map than in the other rival's, twice.

    For pictures of which :func:`expects_contrast` holds.

    Args:
        pair: the rivals.
        for_first: importances by a map of the first rival.
        for_second: importances by a map of the second rival.
    """
    first = sum(for_first[p] for p in pair.of_first) > sum(for_second[p] for p in pair.of_first)
    second = sum(for_second[p] for p in pair.of_second) > sum(for_first[p] for p in pair.of_second)
    return (first + second) / 2


@dataclass(frozen=True, eq=False)
class PictureScores:
    """The scores of a map on one picture; None where it says nothing.

    Attributes:
        right: whether the true class is predicted.
        csdc: (K,) of a picture that is right.
        preservation, deletion: (K,).
        distractibility: (K,) of a picture that holds something irrelevant.
        things: how many things beside the bird there are.
        relevant_things: how many of them are not :func:`irrelevant`.
        single_deletion: where Spearman's correlation is defined.
        target_sensitivity: where the model tells the rivals apart.
    """

    right: bool
    csdc: np.ndarray | None
    preservation: np.ndarray
    deletion: np.ndarray
    distractibility: np.ndarray | None
    things: int
    relevant_things: int
    single_deletion: float | None
    target_sensitivity: float | None


@dataclass(frozen=True)
class PartScores:
    """FunnyBirds' scores of a map; 1 is best.

    Attributes:
        threshold: the share of a map above which a part counts as important, at which completeness
            is highest.
    """

    accuracy: float
    csdc: float
    preservation: float
    deletion: float
    distractibility: float
    background: float
    single_deletion: float
    target_sensitivity: float
    threshold: float

    @property
    def completeness(self) -> float:
        """A score: the map names all that matters, and nothing else."""
        checks = (self.csdc + self.preservation + self.deletion) / 3
        return (checks + self.distractibility) / 2

    @property
    def correctness(self) -> float:
        """A score: the map ranks the parts as the model does."""
        return self.single_deletion

    @property
    def contrastivity(self) -> float:
        """A score: the map is about the class that was asked for."""
        return self.target_sensitivity

    @property
    def mean(self) -> float:
        """The mean of completeness, correctness and contrastivity."""
        return fmean((self.completeness, self.correctness, self.contrastivity))


def summarise(
    pictures: Sequence[PictureScores], thresholds: Sequence[float] | np.ndarray = THRESHOLDS
) -> PartScores:
    """The means over pictures, at the threshold that suits the map best.

    Raises:
        NothingMeasuredError: no picture says anything of one of the scores.
    """
    check = {
        name: _mean(name, [getattr(picture, name) for picture in pictures])
        for name in ("csdc", "preservation", "deletion", "distractibility")
    }
    checks = check["csdc"] + check["preservation"] + check["deletion"]
    best = int(np.argmax(checks / 3 + check["distractibility"]))
    things = sum(picture.things for picture in pictures)
    if not things:
        raise NothingMeasuredError("No picture holds anything beside its bird: draw more pictures.")
    return PartScores(
        accuracy=fmean(picture.right for picture in pictures),
        background=1 - sum(picture.relevant_things for picture in pictures) / things,
        single_deletion=float(
            _mean("single_deletion", [picture.single_deletion for picture in pictures])
        ),
        target_sensitivity=float(
            _mean("target_sensitivity", [picture.target_sensitivity for picture in pictures])
        ),
        threshold=float(thresholds[best]),
        **{name: float(values[best]) for name, values in check.items()},
    )


def _mean(name: str, values: Sequence[np.ndarray | float | None]) -> np.ndarray:
    known = [value for value in values if value is not None]
    if not known:
        raise NothingMeasuredError(f"No picture says anything of {name}: measure more pictures.")
    mean: np.ndarray = np.stack([np.asarray(value) for value in known]).mean(axis=0)
    return mean
