"""The protocol ``idsds``: do a map's sums by cell rank the cells as deleting each of them does?

Source: Hesse, Schaub-Meyer, Roth, NeurIPS 2024, *Benchmarking the Attribution Quality of Vision
Models*.  In-domain needs a model that was fine-tuned on photos without cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lafe.checkpoints.trained import Trained
from lafe.data.transforms import CELLS
from lafe.explain.maps import Map
from lafe.explain.prepare import prepare
from lafe.measure.faithfulness.curves import at_size
from lafe.measure.faithfulness.scores import Column, Comparison, Row, Work, compare
from lafe.measure.protocols import Scores


def without_cells(x: Tensor, n: int = CELLS) -> Tensor:
    """A photo (1, 3, S, S) n x n times, each time with one cell set to 0, row by row."""
    step = x.shape[-1] // n
    found = x.repeat(n * n, 1, 1, 1)
    for cell in range(n * n):
        row, column = divmod(cell, n)
        found[cell, :, row * step : (row + 1) * step, column * step : (column + 1) * step] = 0
    return found


def cell_sums(heat: Map, n: int, side: int) -> np.ndarray:
    """A map's importance of each cell: its sum there, (n * n,)."""
    step = side // n
    whole = at_size(heat, side)[: n * step, : n * step].astype(np.float64)
    sums: np.ndarray = whole.reshape(n, step, n, step).sum((1, 3))
    return sums.ravel()


def rank_correlation(said: np.ndarray, lost: np.ndarray) -> float | None:
    """Spearman's, of what a map says and of what is lost; None where all are equal."""
    from scipy.stats import spearmanr

    if np.ptp(said) == 0 or np.ptp(lost) == 0:
        return None
    return float(spearmanr(said, lost).statistic)


@torch.no_grad()
def _rows(work: Work) -> Iterator[Row]:
    side = work.model.input_size
    for index in work.shuffled()[: work.photos]:
        photo, target = prepare(work.model, work.test.photo(index)), work.test.labels[index]
        inputs = torch.cat([photo.x, without_cells(photo.x)]).split(6)
        logits = torch.cat([work.model(x)[:, target] for x in inputs]).cpu().double().numpy()
        lost = logits[0] - logits[1:]
        maps = work.maps(photo, work.test.paths[index].name, target)
        yield {
            name: {"correlation": rank_correlation(cell_sums(heat, CELLS, side), lost)}
            for name, heat in maps.items()
        }


def _answer(found: Scores) -> tuple[str, str]:
    question = "Does the evidence rank the cells of a photo as deleting them does?"
    own = found.rows.get("evidence", {}).get("correlation")
    said = (
        "It was not asked of the evidence."
        if own is None
        else f"Rank correlation {own.text('.2f')}; 0 is chance, 1 is the same order."
    )
    return question, f"{said} {_FINE_TUNED[bool(found.settings['fine_tuned'])]}"


_FINE_TUNED = {
    True: "The model was fine-tuned on photos without a cell, as the published score asks.",
    False: "The model was not fine-tuned on photos without a cell: each is of a kind that it never "
    "saw.",
}


def _fine_tuned(model: Trained) -> dict[str, float]:
    return {"fine_tuned": float(model.card.recipe.get("delete_cell", 0) > 0)}


compare(
    Comparison(
        "idsds",
        "Single deletion",
        100,
        {"cells": CELLS},
        _rows,
        [Column("correlation", "Rank correlation", percent=False)],
        f"Of the true class: Spearman's correlation, over {CELLS} x {CELLS} cells, of a map's sum "
        "in a cell and of what the logit loses when the cell gets the mean colour; 1 is best, 0 is "
        "chance.  The published score (IDSDS, NeurIPS 2024) is in-domain: the model is fine-tuned "
        "on such photos first, which `delete_cell` in a recipe does.  Published figures are of "
        "ImageNet.",
        _answer,
        of_model=_fine_tuned,
    )
)
