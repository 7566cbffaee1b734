"""The protocol ``drop``: what is left where only the map's places stay, and without the highest.

Sources: Chattopadhay et al., WACV 2018 (Grad-CAM++): Average Drop, and Increase in Confidence.
Zhang et al., CVPR 2025 (Finer-CAM): the relative drop without the top 5 % of pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lafe.branches import FULL
from lafe.explain.attribution.methods import attribute
from lafe.explain.evidence import lookalikes
from lafe.explain.maps import Map
from lafe.explain.prepare import prepare
from lafe.explain.probabilities import probabilities
from lafe.measure.faithfulness.curves import at_size, rank
from lafe.measure.faithfulness.scores import Column, Comparison, Published, Row, Work, compare
from lafe.measure.protocols import Scores

TOP = 0.05


def kept(x: Tensor, heat: Map) -> Tensor:
    """The photo times the map, whose positive values are scaled to 0 to 1.

    What goes becomes 0, the mean colour of the model's normalisation.
    """
    positive = np.clip(at_size(heat, x.shape[-1]), 0, None)
    low, high = float(positive.min()), float(positive.max())
    scaled = (positive - low) / (high - low) if high > low else np.zeros_like(positive)
    return x * torch.from_numpy(scaled).to(x)


def without_top(x: Tensor, heat: Map, share: float = TOP, seed: int = 0) -> Tensor:
    """The photo with the pixels of a map's highest values set to 0, the mean colour."""
    return torch.where(rank(heat, x.shape[-1], seed).to(x.device) < share, 0.0, x)


def average_drop(before: float, after: float) -> float:
    """The loss of a probability, as a share of it; a gain is no loss."""
    return max(before - after, 0.0) / before


def relative_drop(before: float, after: float) -> float:
    """The loss of a probability, as a share of it; negative where it grows."""
    return (before - after) / before


def _rows(work: Work) -> Iterator[Row]:
    for index in work.shuffled()[: work.photos]:
        photo = prepare(work.model, work.test.photo(index))
        before = photo.probabilities(FULL)
        target = int(before.argmax())
        (rival,) = lookalikes(before, target, 1)
        maps = work.maps(photo, work.test.paths[index].name, target)
        contrast = attribute(photo, method="evidence", target=target, versus=rival)
        maps["contrast"] = contrast.map
        inputs = [f(photo.x, heat) for heat in maps.values() for f in (kept, without_top)]
        after = torch.cat([_probabilities(work, x) for x in inputs])
        yield {
            name: _figures(before, after[2 * i], after[2 * i + 1], target, rival)
            | ({} if (heat > 0).any() else {"drop": None, "increase": None})  # nothing is kept
            for i, (name, heat) in enumerate(maps.items())
        }


@torch.no_grad()
def _probabilities(work: Work, x: Tensor) -> Tensor:
    return probabilities(work.model, work.model(x), FULL)


def _figures(
    before: Tensor, only: Tensor, without: Tensor, target: int, rival: int
) -> dict[str, float | None]:
    p, pair = float(before[target]), before[[target, rival]]
    rest = without[[target, rival]]
    return {
        "drop": average_drop(p, float(only[target])),
        "increase": float(only[target] > before[target]),
        "top": relative_drop(p, float(without[target])),
        "top_pair": relative_drop(float(pair[0] / pair.sum()), float(rest[0] / rest.sum())),
    }


def _answer(found: Scores) -> tuple[str, str]:
    question = "Does the class go with the 5 % of pixels that its evidence names?"
    own = found.rows.get("evidence", {}).get("top")
    chance = found.rows["random"]["top"]
    if own is None or chance is None:
        return question, "It was not asked of the evidence."
    verdict = "Yes, more than by chance" if own.low > chance.high else "It is not shown"
    return question, (
        f"{verdict}: its probability falls by {own.percent()} % of itself without them, and by "
        f"{chance.percent()} % without 5 % that are drawn."
    )


_SOURCE = "Chattopadhay et al., WACV 2018, Table 1"

compare(
    Comparison(
        "drop",
        "What is lost without a map's places",
        100,
        {"top": TOP},
        _rows,
        [
            Column("drop", "Average Drop, %"),
            Column("increase", "Increase, %"),
            Column("top", "Relative drop, top 5 %, %"),
            Column("top_pair", "The same against the look-alike, %"),
        ],
        "Of the predicted class.  Average Drop: what is lost of its probability where the photo is "
        "multiplied by the map; low is good.  Increase: photos whose probability grows so.  "
        "Relative drop: what is lost of it where the map's highest 5 % of pixels get the mean "
        "colour; high is good.  Against the look-alike: of the share that the class has of its own "
        "and the runner-up's probability.  Contrast: the evidence for the class rather than the "
        "runner-up, which is Finer-CAM at the last layer.  Published figures are of ImageNet's "
        "classes (Average Drop, Increase) and of DINOv2 and CLIP (Finer-CAM), so that they do not "
        "compare; probabilities here are calibrated.",
        _answer,
        [
            Published(f"Grad-CAM, ImageNet ({_SOURCE})", "Average Drop 46.56, Increase 13.42"),
            Published(f"Grad-CAM++, ImageNet ({_SOURCE})", "Average Drop 36.84, Increase 17.05"),
        ],
        names={"contrast": "Evidence, contrast"},
    )
)
