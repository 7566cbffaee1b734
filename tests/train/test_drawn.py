"""What a card says of the settings that were drawn, against a training that is listened to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("lightning", reason="Training needs the extra 'train'.")

from lafe.branches import Switches
from lafe.checkpoints.store import load_card
from lafe.train import loop, module
from lafe.train.drawn import drawn_settings, settings_field
from lafe.train.objectives import draw
from lafe.train.recipe import Recipe


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """11, 10 and 8 photos: an odd one, and batches of unequal sizes."""
    random = np.random.default_rng(0)
    for split, counts in (("train", (11, 10, 8)), ("val", (2, 2, 2))):
        for name, count in zip("abc", counts, strict=True):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 255, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    (tmp_path / "photos" / "test" / "a").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "photos" / "test" / "a" / "0.png")
    return tmp_path / "photos"


def recipe(objective: str, **changes: Any) -> Recipe:
    first = Recipe(
        "drawn", "folder", "test_resnet", 32, 36, epochs=2, lr=0.01, weights=None, batch_size=8
    )
    return first.with_changes(objective=objective, **changes)


@pytest.mark.parametrize(
    ("objective", "changes"),
    [("switched", {}), ("attentive", {"switch_share": 0.5, "overlap_loss": 0.3}), ("paper", {})],
)
def test_a_card_names_the_settings_that_its_training_drew(
    objective: str, changes: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    told: dict[int, set[Switches]] = {}

    def listen(recipe: Recipe, step: int, pairs: int) -> Any:
        found = draw(recipe, step, pairs)
        told[step] = set(found.settings)
        return found

    monkeypatch.setattr(module, "draw", listen)
    folder = loop.train(recipe(objective, **changes), data, tmp_path / "runs", accelerator="cpu")
    card = load_card(folder)
    steps = max(told) + 1
    assert steps == 2 * 4
    kept = card.training["best_epoch"] * steps // 2
    drawn = {switches.index for step in range(kept) for switches in told[step]}
    assert {i for i in range(4096) if card.drew(i)} == drawn
    if objective == "paper":
        assert drawn == {Switches.all().index}
    else:
        assert len(drawn) > 5


def test_runs_that_gave_their_branches_count() -> None:
    first, second = (recipe("switched", seed=seed) for seed in (1, 2))
    earlier = {"photos": 40, "best_epoch": 3}
    training = {"photos": 30, "best_epoch": 1}
    own = drawn_settings(second, 30, 1)
    theirs = drawn_settings(first, 40, 3)
    assert theirs - own

    def mask(settings: set[Switches]) -> int:
        return sum(1 << s.index for s in settings)

    def said(recipe: Recipe, started: Recipe | dict[str, Any]) -> dict[str, str]:
        of = started.to_dict() if isinstance(started, Recipe) else started
        before = {"started_from": {"recipe": of, "training": earlier}}
        return settings_field(recipe.to_dict(), training | before)

    assert int(said(second, first)["settings"], 16) == mask(own | theirs)
    fresh = second.with_changes(init_branches=False)
    assert int(said(fresh, first)["settings"], 16) == mask(own)
    old = {k: v for k, v in first.to_dict().items() if k != "switch_share"}
    assert said(second, old) == {}  # nobody knows
    assert settings_field(old, training) == {}
    assert settings_field(first.to_dict(), {}) == {}


def test_ranks_share_the_pairs() -> None:
    one = drawn_settings(recipe("switched"), 64, 1)
    two = drawn_settings(recipe("switched"), 64, 1, ranks=2)
    by_hand = {s for step in range(8) for s in draw(recipe("switched"), step, 2).settings}
    assert two == by_hand
    assert two < one
