"""Table 4 is made of result files; a sweep writes them once, and goes on where it was cut."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lafe
from lafe.cli.main import parser
from lafe.data import load_benchmark
from lafe.measure import predictions, sweep as sw
from lafe.measure.provenance import Provenance
from lafe.measure.report import Accuracy, Training
from lafe.train.recipe import Recipe, RecipeError, load_recipe
from lafe.train.variants import VARIANTS

COMMITTED = sorted((Path(lafe.__file__).parents[1] / "checkpoints" / "results").glob("*.json"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of two colours: 8 photos of each of two classes, of which 2 are for each test."""
    root = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    for name, place in (("red", 0), ("blue", 2)):
        for split in ("train", "val", "test"):
            (root / split / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 128, (32, 32, 3), dtype=np.uint8)
            pixels[..., place] += 90
            split = ["val", "test"][i % 2] if i < 4 else "train"
            Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


RECIPE = Recipe(
    "noise", "folder", "test_resnet", 32, 32, epochs=1, lr=0.01, weights=None, batch_size=4,
    objective="paper",
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("lightning", reason="Training needs the extra 'train'.")
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("sweep")
    options = {"out": folder / "runs", "results": folder / "results"}
    files = sw.sweep(RECIPE, data, variants=("lafe", "plain"), seeds=(0, 1), **options)
    return {"files": files, "options": options}


def test_a_file_holds_what_its_run_gives_on_test_photos(swept: dict[str, Any], data: Path) -> None:
    names = [f.stem for f in swept["files"]]
    assert names == [
        "noise-lafe-seed0",
        "noise-plain-seed0",
        "noise-lafe-seed1",
        "noise-plain-seed1",
    ]
    test = load_benchmark("folder", data, "test")
    labels = torch.tensor(test.labels)
    for file in swept["files"]:
        result = sw.read(file)
        model = lafe.load(swept["options"]["out"] / file.stem)
        x = torch.cat([model.preprocess(test.photo(i)) for i in range(len(test))])
        right = (model(x).argmax(1) == labels).float().mean()
        assert result.top1 == pytest.approx(float(right))
        kept = predictions.read(file.parent / "predictions" / f"{file.stem}.csv")
        assert kept.given["full"][:, 0].tolist() == model(x).argmax(1).tolist()
        assert result.recipe.seed == result.seed == int(file.stem[-1])
        assert result.recipe.attention == (result.variant == "lafe")
        assert result.recipe.objective == "paper"
        assert (not model.sides) == (result.variant == "plain")


def test_a_run_that_has_its_file_is_not_repeated(
    swept: dict[str, Any], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Path:
        raise AssertionError("trained again")

    monkeypatch.setattr("lafe.train.loop.train", never)
    timed = RECIPE.with_changes(hours="2 hours")  # is the same recipe
    assert sw.sweep(timed, data, variants=("plain",), seeds=(1,), **swept["options"])
    with pytest.raises(AssertionError, match="trained again"):
        sw.sweep(RECIPE, data, variants=("no-fusion",), seeds=(1,), **swept["options"])


def test_another_recipe_does_not_pass_for_the_one_that_was_run(
    swept: dict[str, Any], data: Path
) -> None:
    longer = RECIPE.with_changes(epochs=2)
    with pytest.raises(RecipeError, match=r"noise-plain-seed0\.json is of another recipe"):
        sw.sweep(longer, data, variants=("plain",), **swept["options"])


@pytest.mark.parametrize("change", ["one more", "another name", "another class"])
def test_other_photos_do_not_pass_for_those_that_were_tested_on(
    swept: dict[str, Any], data: Path, tmp_path: Path, change: str
) -> None:
    """Though the folder of the run is gone."""
    own = shutil.copytree(data, tmp_path / "data")
    assert sw.sweep(RECIPE, own, variants=("plain",), **swept["options"])
    options = swept["options"] | {"out": tmp_path / "gone"}
    first = next((own / "test" / "red").iterdir())
    if change == "one more":
        shutil.copy(first, first.with_name("new.png"))
    elif change == "another name":
        first.rename(first.with_name("new.png"))
    else:
        for split in ("train", "val", "test"):
            (own / split / "red").rename(own / split / "scarlet")
    with pytest.raises(
        RecipeError, match=r"plain-seed0\.json is of other photos: of 4 of 2 classes"
    ):
        sw.sweep(RECIPE, own, variants=("plain",), **options)
    assert not (tmp_path / "gone").exists()


def test_an_unknown_variant_is_refused(data: Path) -> None:
    with pytest.raises(RecipeError, match="no variant 'plane': choose among lafe"):
        sw.sweep(RECIPE, data, variants=("plane",))


def test_every_row_is_a_variant() -> None:
    assert set(sw.ROWS) == set(VARIANTS)


def result(variant: str, seed: int, top1: float, hours: float, sweep: str = "s") -> sw.Result:
    return sw.Result(
        sweep, variant, seed, Provenance("lafe sweep", "2026-01-01"), RECIPE,
        Training(10, 2, 1, hours), 12, 2, {"full": Accuracy(top1, 1.0, 0.1)},
    )  # fmt: skip


def test_a_row_is_the_mean_and_spread_over_seeds() -> None:
    runs = [result("plain", 0, 0.5, 1), result("lafe", 1, 0.8, 2), result("lafe", 0, 0.6, 2.5)]
    lafe_row, plain = sw.table(runs)
    assert (lafe_row.variant, plain.variant) == ("lafe", "plain")
    assert lafe_row.top1 == (0.6, 0.8)
    assert lafe_row.mean == pytest.approx(0.7)
    assert lafe_row.deviation == pytest.approx(0.02**0.5)  # ((.1^2 + .1^2) / (2 - 1)) ** .5
    assert lafe_row.hours == 4.5
    assert (plain.mean, plain.deviation) == (0.5, None)


def test_a_loss_to_the_plain_backbone_is_said() -> None:
    plain = [result("plain", 1, 0.51, 1), result("plain", 0, 0.55, 1)]
    better = [result("lafe", 2, 0.9, 1), result("lafe", 1, 0.60, 1), result("lafe", 0, 0.52, 1)]
    worse = [result("no-fusion", 0, 0.5, 1), result("no-region", 0, 0.53, 1)]
    assert sw.verdict(sw.table(plain + better)) == (
        "LAFE minus the plain backbone, seed by seed: \N{MINUS SIGN}3.0, +9.0 points.  "
        "No row is below the plain backbone on average."
    )
    assert sw.verdict(sw.table(plain[1:] + worse)) == (
        "Below the plain backbone on average: without region attention; without feature fusion.  "
        "One seed is a lead, not a finding."
    )
    assert sw.verdict(sw.table([plain[0], better[2]])).startswith("No row")  # no seed in common
    assert sw.verdict(sw.table(better)) == ""
    assert sw.verdict(sw.table(plain)) == ""


def test_the_paper_s_column_stands_beside_ours() -> None:
    runs = [result("lafe", 0, 0.60, 1), result("lafe", 1, 0.62, 1), result("lafe", 2, 0.70, 1)]
    runs += [result("no-fusion", 0, 0.58, 1), result("no-fusion", 1, 0.61, 1)]  # -2, -1
    runs += [result("no-region", 0, 0.61, 1), result("no-region", 1, 0.60, 1)]  # +1, -2
    runs += [result("plain", 2, 0.71, 1), result("attentive", 0, 0.7, 1)]
    runs += [result("no-losses", 0, 0.60, 1)]
    beside = sw.beside_paper(sw.table(runs), "cub")
    minus = "\N{MINUS SIGN}"
    assert {name: str(each) for name, each in beside.items()} == {
        "no-fusion": f"paper {minus}2.1, ours {minus}1.5 ± 0.7: same sign",
        "no-region": f"paper {minus}0.4, ours {minus}0.5 ± 2.1: same sign, within its deviation",
        "no-losses": f"paper {minus}0.8, ours 0.0: no difference",
        "plain": f"paper {minus}3.1, ours +1.0: not the same sign, one seed",
    }
    assert sw.beside_paper(sw.table(runs), "folder") == {}
    assert sw.beside_paper(sw.table(runs[3:]), "cub") == {}


@pytest.mark.parametrize("name", sorted(sw.by_sweep(map(sw.read, COMMITTED))))
def test_committed_results_are_of_a_recipe_that_comes_with_the_package(name: str) -> None:
    """Or nobody could train them again by the command that stands beside them."""
    prose = {"title": "", "about": "", "hours": ""}
    for run in sw.by_sweep(map(sw.read, COMMITTED))[name]:
        recipe = sw.recipe_of(load_recipe(name), run.variant, run.seed)
        assert recipe.with_changes(**prose) == run.recipe.with_changes(**prose)


def test_the_command_of_a_sweep_asks_for_its_rows_and_seeds() -> None:
    rows = sw.table([result("attentive", 2, 0.5, 1), result("plain", 0, 0.5, 1)])
    said = sw.command("birds-seeds", rows)
    assert said == "lafe sweep birds-seeds --variants plain attentive --seeds 0 2 --data DIR"
    args = parser().parse_args(said.split()[1:])
    assert (args.recipe, args.variants, args.seeds) == (
        "birds-seeds",
        ["plain", "attentive"],
        [0, 2],
    )
    assert not sw.title(rows).startswith("Table 4")
    every = sw.table(result(variant, 0, 0.5, 1) for variant in sw.ROWS)
    assert sw.title(every).startswith("Table 4")
    assert sw.command("s", every) == "lafe sweep s --seeds 0 --data DIR"


def test_sweeps_are_kept_apart() -> None:
    found = sw.by_sweep(result("plain", seed, 0.5, 1, name) for seed in (0, 1) for name in "ab")
    assert {name: [r.seed for r in runs] for name, runs in found.items()} == {
        "a": [0, 1],
        "b": [0, 1],
    }


def test_a_row_a_little_below_plain_is_named_too() -> None:
    """Half a point is a loss; the reader judges how much of one."""
    runs = [
        result("plain", 0, 0.55, 1),
        result("lafe", 0, 0.545, 1),
        result("switched", 0, 0.56, 1),
    ]
    assert "Below the plain backbone on average: LAFE.  " in sw.verdict(sw.table(runs))
