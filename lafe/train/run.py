"""The identity of a run: noted when it begins, and compared before it goes on.

A run that goes on under another recipe, or with other photos, would give a checkpoint whose card
states what was not trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lafe.checkpoints.reading import read_card
from lafe.checkpoints.stored import WEIGHTS, CheckpointError
from lafe.data import PhotoDataset
from lafe.errors import LafeError
from lafe.files import write_json
from lafe.train.recipe import PROSE, Recipe, RecipeError, recipe_from

RECORD, LAST, BEST = "run.json", "last.ckpt", "best.ckpt"

FOR_PEOPLE = frozenset({*PROSE, "fit_scale"})
"""Fields that change no step: words, and what is done when the last one is over."""


class RunError(LafeError):
    """A run that is of something else; the message names the field, and the way out."""


@dataclass(frozen=True)
class Run:
    """The identity of a run: all that decides it.

    Attributes:
        recipe: all of it.
        classes: names in label order.
        photos: how many there are in each split.
        fingerprints: of each split's list of files, see :meth:`lafe.data.PhotoDataset.fingerprint`.
        passed_over: of each split, files that cannot be read and were left out; known once all are
            decoded.
        seen: digests of the photos that are trained on or held out, see
            :meth:`lafe.data.PhotoDataset.digests`, where people may move them from split to split.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    photos: Mapping[str, int]
    fingerprints: Mapping[str, str]
    passed_over: Mapping[str, tuple[str, ...]] | None = None
    seen: tuple[str, ...] = ()

    @classmethod
    def of(cls, recipe: Recipe, splits: Mapping[str, PhotoDataset]) -> Run:
        """The run of a recipe on the photos of its splits, before they are decoded."""
        return cls(
            recipe,
            tuple(splits["train"].classes),
            {name: len(split) for name, split in splits.items()},
            {name: split.fingerprint() for name, split in splits.items()},
        )

    def write(self, folder: Path) -> None:
        """Note it in the run's folder."""
        write_json(folder / RECORD, asdict(self) | {"recipe": self.recipe.to_dict()})


def check(folder: Path, run: Run) -> None:
    """Refuse to go on with a run that is of something else.

    Raises:
        RunError: any difference but more epochs, or words for people.
    """
    before = _noted(folder)
    way_out = "start over with --fresh, or give the recipe another name."
    for name, value in run.recipe.to_dict().items():
        had = before["recipe"][name]
        if name in FOR_PEOPLE or had == value or (name == "epochs" and value > had):
            continue
        raise RunError(
            f"{folder} is a run with {name} {_short(had)}, and the recipe says {_short(value)}: "
            + way_out
        )
    if before["classes"] != list(run.classes):
        raise RunError(f"{folder} is a run of other classes ({_differ(before, run)}): {way_out}")
    epochs = before["recipe"]["epochs"]
    if run.recipe.epochs > epochs and run.recipe.schedule == "onecycle":
        raise RunError(
            f"{folder} is a run of {epochs} epochs under one cycle of the learning rate, which "
            f"ends with them; the recipe says {run.recipe.epochs}: {way_out}"
        )
    if "fingerprints" not in before:
        return  # a run of version 0.1
    for split, found in run.fingerprints.items():
        if before["fingerprints"].get(split) != found:
            raise RunError(
                f"{folder} is a run on other photos: its split {split!r} had "
                f"{before['photos'].get(split, 0):,} photos, now there are {run.photos[split]:,}, "
                f"and their names or classes are not the same: {way_out}"
            )
    had, has = before["passed_over"], run.passed_over
    if has is not None and had is not None and had != {k: list(v) for k, v in has.items()}:
        raise RunError(f"{folder} is a run that passed over other unreadable photos: {way_out}")


def noted_split(folder: Path) -> tuple[frozenset[str], dict[str, list[str]]]:
    """The digests of photos that a run has seen, and the lines of those it passed over, by split.

    Empty for a checkpoint that was copied without its run, or whose run noted none.

    Raises:
        RunError: the notes cannot be read.
    """
    file = folder / RECORD
    if not file.is_file():
        return frozenset(), {}
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        return frozenset(noted.get("seen", ())), noted.get("passed_over") or {}
    except (ValueError, AttributeError, TypeError) as error:
        raise RunError(f"{file} cannot be used ({error}): train anew with --fresh.") from error


def require_no_checkpoint(folder: Path) -> None:
    """Refuse to begin a run where it would in the end replace a checkpoint.

    Raises:
        RunError: there is one, of a run that cannot go on or of none.
    """
    if (folder / WEIGHTS).is_file():
        raise RunError(
            f"{folder} holds a checkpoint, and no {LAST} of a run to go on with: give the recipe "
            "another name or another --out, or replace the checkpoint with --fresh."
        )


def _noted(folder: Path) -> dict[str, Any]:
    """The notes of a run; of one of version 0.1, what the card of its checkpoint says."""
    file = folder / RECORD
    try:
        if file.is_file():
            noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return noted | {"recipe": recipe_from(noted["recipe"]).to_dict()}
        if (folder / WEIGHTS).is_file():
            card = read_card(folder)
            return {"recipe": recipe_from(card.recipe).to_dict(), "classes": card.classes}
    except (ValueError, KeyError, TypeError, RecipeError, CheckpointError) as error:
        raise RunError(
            f"{file} cannot be used ({error}): start over with --fresh, or give the recipe another "
            "name."
        ) from error
    raise RunError(
        f"{folder} holds a run that did not note what it is of: start over with --fresh, or give "
        "the recipe another name."
    )


def _differ(before: Mapping[str, Any], run: Run) -> str:
    had, has = before["classes"], run.classes
    for one, other in zip(had, has, strict=False):
        if one != other:
            return f"{one!r} where there is {other!r} now"
    return f"{len(had)} where there are {len(has)} now"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
