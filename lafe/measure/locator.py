"""``lafe locator``: fit a locator of parts, and measure it on test photos.

The truth are CUB's points, or PartBirds' masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, load_benchmark
from lafe.data.partbirds import PARTS
from lafe.data.partbirds.folder import shown
from lafe.data.preprocess import Preprocess
from lafe.explain.parts import BESIDE, CENTRE, NEAR, REST, Locator, LocatorError, stacked, write
from lafe.explain.places import Place
from lafe.measure.faithfulness.swap_parts import KINDS, parts_by_place
from lafe.measure.outputs import data_of, labelled_as, open_test_split

NAMES = (*dict.fromkeys(KINDS), REST, BESIDE)
"""Names for CUB: its parts without their sides."""

DRAWN = (*PARTS, REST, BESIDE)
"""Names for PartBirds."""

SEEN = 0.05
"""The least share of a place that a drawn part covers to be there."""

STEPS = 400
DECAY = 1e-3


def measure(checkpoint: str | Path, data: str | Path, *, device: str = "cpu") -> Locator:
    """Fit a locator to the training photos, measure it on the test photos, write it.

    Raises:
        LocatorError: a model of photos without points or masks of parts.
        lafe.data.DataError, lafe.CheckpointError, lafe.measure.outputs.ClassesError: with what to
            do.
    """
    folder = locate(checkpoint)
    model = load(folder, device)
    kind = data_of(model.card.recipe)
    if kind not in _TRUTHS:
        raise LocatorError(
            f"Parts are known of CUB-200-2011 and of PartBirds, and {model.card.name!r} is of "
            "neither: give a model of one of them."
        )
    names = _TRUTHS[kind].names
    train = labelled_as(model.card, load_benchmark(kind, data, "trainval"))
    test = labelled_as(model.card, open_test_split(kind, data))
    weight, bias = fit(*places(model, train, kind))
    found = Locator(names, weight, bias, model.card.sha256, {})
    measured = errors(found, *places(model, test, kind))
    locator = replace(found, error=measured)
    write(folder, locator)
    return locator


def places(model: Trained, photos: PhotoDataset, kind: str) -> tuple[Tensor, Tensor]:
    """Stacked features (N, C, H, W) in half precision, and what is there, (N, P, H, W).

    A place with several parts is shared between them, so that all add up to 1; one without is the
    rest of the bird, or beside it: of photos inside or outside of its box, of drawings by what is
    seen there.
    """
    truth = _TRUTHS[kind]
    if kind == "cub" and (photos.parts is None or photos.parts.shape[1] != len(KINDS)):
        raise LocatorError("These photos have no points of CUB's 15 parts: give CUB-200-2011.")
    pairs = list(tqdm(_each(model, photos, truth), f"{model.card.name}, parts", len(photos)))
    return torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])


@torch.no_grad()
def _each(model: Trained, photos: PhotoDataset, truth: _Truth) -> Iterator[tuple[Tensor, Tensor]]:
    for i in range(len(photos)):
        picture = photos.photo(i)
        x = model.preprocess(picture).to(model.classifier.weight)
        features = stacked(model.features(x)).half()
        grid = features.shape[-1]
        y = torch.zeros(1, len(truth.names), grid, grid)
        found = truth.by_place(photos, i, picture.size, model.preprocess, grid)
        for (row, column), there in found.items():
            for name in there:
                y[0, truth.names.index(name), row, column] = 1 / len(there)
        yield features, y


def _of_points(
    photos: PhotoDataset, i: int, size: tuple[int, int], preprocess: Preprocess, grid: int
) -> dict[Place, set[str]]:
    """The contents of each place of a photo, by the points of its parts and its box."""
    assert photos.parts is not None
    assert photos.boxes is not None
    box = photos.boxes[i].tolist()
    here = parts_by_place(photos.parts[i].numpy(), size, preprocess, grid)
    view = preprocess.view_box(size)
    return {
        (row, column): here.get((row, column)) or {_without(row, column, grid, view, box)}
        for row in range(grid)
        for column in range(grid)
    }


def _of_masks(
    photos: PhotoDataset, i: int, size: tuple[int, int], preprocess: Preprocess, grid: int
) -> dict[Place, set[str]]:
    """The contents of each place of a drawing: parts that cover some of it; of a small part, the
    place that has most of it."""
    left, top, right, bottom = map(round, preprocess.view_box(size))
    labels = shown(photos.paths[i])[top:bottom, left:right]
    names = np.array((BESIDE, *PARTS, REST, BESIDE))
    layer = np.minimum(labels, len(names) - 1)  # things of the scene are beside the bird
    covered = {
        name: cv2.resize(np.isin(layer, np.flatnonzero(names == name)).astype(np.float32),
                         (grid, grid), interpolation=cv2.INTER_AREA)
        for name in DRAWN
    }  # fmt: skip
    found: dict[Place, set[str]] = {}
    for row in range(grid):
        for column in range(grid):
            at = row, column
            there = {
                name
                for name in PARTS
                if covered[name][at] and covered[name][at] >= min(SEEN, covered[name].max())
            }
            found[at] = there or {REST if covered[REST][at] >= SEEN else BESIDE}
    return found


@dataclass(frozen=True)
class _Truth:
    """The names of parts in a data set, and what finds the set of them at each place."""

    names: tuple[str, ...]
    by_place: Callable[[PhotoDataset, int, tuple[int, int], Preprocess, int], dict[Place, set[str]]]


_TRUTHS = {"cub": _Truth(NAMES, _of_points), "partbirds": _Truth(DRAWN, _of_masks)}


def _without(
    row: int, column: int, grid: int, view: tuple[float, float, float, float], box: list[float]
) -> str:
    """Name a place without a part, by its middle."""
    left, top, right, bottom = view
    x = left + (right - left) * (column + 0.5) / grid
    y = top + (bottom - top) * (row + 0.5) / grid
    inside = box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]
    return REST if inside else BESIDE


def fit(x: Tensor, y: Tensor, steps: int = STEPS, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression of places (N, C, H, W) on what is there (N, P, H, W).

    Features are standardised while it is fitted, which the weights take back.

    Returns:
        Weights (P, C) and biases (P,).
    """
    flat, there = x.flatten(2).transpose(1, 2).flatten(0, 1), y.flatten(2).transpose(1, 2)
    there = there.flatten(0, 1)
    some = torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))[:20_000]
    mean, std = flat[some].float().mean(0), flat[some].float().std(0) + 1e-3
    weight = torch.zeros(there.shape[1], flat.shape[1], requires_grad=True)
    bias = there.mean(0).clamp(min=1e-4).log().requires_grad_()
    optimizer = torch.optim.AdamW([weight, bias], 3e-3, weight_decay=DECAY)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        batch = torch.randint(len(flat), (2048,), generator=random)
        z = (flat[batch].float() - mean) / std
        loss = F.cross_entropy(z @ weight.T + bias, there[batch])
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        optimizer.step()
    with torch.no_grad():
        folded = weight / std
        return folded.detach(), (bias - folded @ mean).detach()


def errors(locator: Locator, x: Tensor, y: Tensor) -> dict[str, float]:
    """Measure a locator on photos that it was not fitted to.

    Returns:
        By part, the share of photos in which its likeliest place is at most one place away from its
        point ("within one place of PART"), the mean of these over parts, and what the middle of the
        photo would get ("by the centre"); and the share of parts' places that are taken for the
        bird, not for what is beside it ("on the bird").
    """
    p = torch.cat([locator.read(some.float()) for some in x.split(64)])
    grid = y.shape[-1]
    found: dict[str, float] = {}
    centre = []
    parts = [name for name in locator.names if name not in (REST, BESIDE)]
    for i, name in enumerate(parts):
        there = y[:, i] > 0
        seen = there.flatten(1).any(1)
        if not seen.any():
            continue
        near = F.max_pool2d(there[seen].float(), 3, 1, 1).flatten(1)
        likeliest = p[seen, i].flatten(1).argmax(1)
        found[f"within one place of {name}"] = float(near.gather(1, likeliest[:, None]).mean())
        centre.append(float(near[:, (grid // 2) * grid + grid // 2].mean()))
    found[NEAR] = sum(found.values()) / len(found)
    found[CENTRE] = sum(centre) / len(centre)
    on_parts = (y[:, : len(parts)] > 0).any(1)
    likely = p.argmax(1)
    found["on the bird"] = float((likely[on_parts] != locator.names.index(BESIDE)).float().mean())
    return found
