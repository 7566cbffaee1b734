"""The protocol ``grid``: in a mosaic of photos, does a class's map lie on its own photo?

Source: Böhle, Fritz, Schiele, CVPR 2021 (CoDA-Nets) and 2022 (B-cos): the grid pointing game.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lafe.branches import FULL
from lafe.explain.maps import Map
from lafe.explain.prepare import prepare
from lafe.measure.faithfulness.curves import at_size
from lafe.measure.faithfulness.places import energy
from lafe.measure.faithfulness.scores import Column, Comparison, Row, Work, compare
from lafe.measure.protocols import Scores

SIDE = 2
"""Photos to a side of a mosaic."""
CONFIDENT = 0.9


def mosaic(photos: Sequence[Tensor]) -> Tensor:
    """n x n photos (1, 3, S, S) as one, each scaled to S / n, row by row.

    Raises:
        ValueError: no square number of photos, or a side that n does not divide.
    """
    n, side = round(len(photos) ** 0.5), photos[0].shape[-1]
    if n * n != len(photos) or side % n:
        raise ValueError(f"{len(photos)} photos of {side} px make no square of equal tiles.")
    small = [
        F.interpolate(x, size=(side // n, side // n), mode="bilinear", antialias=True)
        for x in photos
    ]
    return torch.cat([torch.cat(small[i : i + n], 3) for i in range(0, n * n, n)], 2)


def share_of_tile(heat: Map, tile: int, n: int, side: int) -> float | None:
    """The share of the positive values of a map that lies in a tile; chance is 1 / n^2.

    None where no value is positive.
    """
    mask = np.zeros((side, side), bool)
    (row, column), step = divmod(tile, n), side // n
    mask[row * step : (row + 1) * step, column * step : (column + 1) * step] = True
    return energy(at_size(heat, side), mask)


def _rows(work: Work) -> Iterator[Row]:
    """A row a mosaic: the mean over its photos, each asked for by its class."""
    waiting: dict[int, Tensor] = {}
    done = 0
    for index in work.shuffled():
        label = work.test.labels[index]
        if label in waiting:
            continue
        photo = prepare(work.model, work.test.photo(index))
        p = photo.probabilities(FULL)
        if int(p.argmax()) != label or p[label] < CONFIDENT:
            continue
        waiting[label] = photo.x
        if len(waiting) < SIDE * SIDE:
            continue
        yield _row(work, waiting)
        waiting, done = {}, done + 1
        if done == work.photos:
            return


def _row(work: Work, photos: dict[int, Tensor]) -> Row:
    whole = prepare(work.model, mosaic(list(photos.values())))
    side = work.model.input_size
    shares: dict[str, list[float]] = {}
    for tile, label in enumerate(photos):
        for name, heat in work.maps(whole, str(sorted(photos)), label).items():
            share = share_of_tile(heat, tile, SIDE, side)
            if share is not None:
                shares.setdefault(name, []).append(share)
    return {name: {"share": float(np.mean(found))} for name, found in shares.items()}


def _answer(found: Scores) -> tuple[str, str]:
    share = found.rows["evidence"]["share"] if "evidence" in found.rows else None
    chance = 100 / found.settings["side"] ** 2
    if share is None:
        return "Does a class's map lie on its own photo?", "It was not asked of the evidence."
    verdict = "Yes, more than by chance" if 100 * share.low > chance else "It is not shown"
    return (
        "In a mosaic of photos, does a class's evidence lie on its own photo?",
        f"{verdict}: {share.percent()} % of the positive evidence; by chance {chance:.0f} %.",
    )


compare(
    Comparison(
        "grid",
        "The grid pointing game",
        50,
        {"side": SIDE, "confident": CONFIDENT},
        _rows,
        [Column("share", "Share in its own tile, %")],
        "The share of a map's positive values that lies on the class's own photo, of mosaics of "
        f"{SIDE} x {SIDE} test photos of different classes, each known with {CONFIDENT:.0%} or "
        f"more; chance is {100 / SIDE**2:.0f} %.  Maps that do not know the class (D, C and f5) "
        "get chance.  The published game (CoDA-Nets, CVPR 2021) puts whole photos side by side, "
        "3 x 3, on ImageNet; this model reads one size, so that photos are made smaller.",
        _answer,
    )
)
