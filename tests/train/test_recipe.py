"""Recipes: the shipped ones load, and what cannot be used is refused by the name of its field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lafe.train.recipe import VARIANTS, Recipe, RecipeError, load_recipe, recipe_from, shipped

LEAST = {"name": "mine", "data": "folder", "backbone": "test_resnet", "input_size": 64,
         "resize": 72, "epochs": 2, "lr": 0.01}  # fmt: skip


def test_small_recipes_are_shipped() -> None:
    assert {"birds", "cars", "aircraft"} <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_loads_and_says_what_it_is_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about
    assert recipe.data in ("cub", "cars", "aircraft")


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_survives_json_and_yaml(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe_from(yaml.safe_load(yaml.safe_dump(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101"])
@pytest.mark.parametrize("data", ["cub", "cars", "aircraft"])
def test_the_papers_recipes_are_the_paper_to_the_letter(data: str, backbone: str) -> None:
    """Sec. 4.2; the 15 degrees are ours, and torchvision's first weights are those of its time."""
    recipe = load_recipe(f"{data}-{backbone}")
    paper = {
        "data": data, "backbone": f"{backbone}.tv_in1k", "weights": "hub", "init": None,
        "resize": 512, "input_size": 448, "scale": None, "rotation": 15, "flip": True,
        "jitter": 0, "erase": 0, "smoothing": 0, "momentum": 0.9, "weight_decay": 5e-4,
        "batch_size": 16, "lr": 0.0015, "new_lr": 1, "schedule": "step", "step_epochs": 40,
        "epochs": 200, "objective": "paper", "dis_loss": 1, "con_loss": 1, "region": True,
        "fusion": True, "attention": True, "region_gate": "relu", "gates": "plain", "freeze": (),
        "optimizer": "sgd", "average": 0, "clip": 0, "gate_lr": 1, "branch_gain": 1,
        "backbone_bf16": False,        "head_bf16": False,
    }  # fmt: skip
    assert {field: getattr(recipe, field) for field in paper} == paper


def test_the_variants_are_the_rows_of_table_4() -> None:
    recipe = Recipe(**LEAST, objective="paper")
    changes = {
        "lafe": {}, "no-region": {"region": False}, "no-fusion": {"fusion": False},
        "no-losses": {"dis_loss": 0, "con_loss": 0}, "no-con-loss": {"con_loss": 0},
        "plain": {"attention": False}, "constant-gates": {"gates": "constant"},
        "switched": {"objective": "switched"},
        "attentive": {
            "objective": "attentive", "gates": "standardised", "con_loss": 0,
            "counterfactual_loss": 1, "overlap_loss": 0.3, "correlation_loss": 1,
            "correlation_allowed": 0.3, "subtraction_loss": 0.5, "rivals": 5, "switch_share": 0.33,
        },
    }  # fmt: skip
    assert set(VARIANTS) == set(changes)
    for name, fields in changes.items():
        varied = recipe.variant(name).to_dict()
        different = {k for k, v in recipe.to_dict().items() if varied[k] != v}
        assert different == set(fields) | ({"name"} if fields else set())
        assert {k: varied[k] for k in fields} == fields


def write(folder: Path, **fields: object) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(LEAST | fields), encoding="utf-8")
    return file


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    file = write(tmp_path, scale=[0.5, 1], freeze=["conv1"], weights=None)
    recipe = load_recipe(file)
    assert recipe == Recipe(
        "mine", "folder", "test_resnet", 64, 72, 2, 0.01, weights=None, scale=(0.5, 1),
        freeze=("conv1",),
    )  # fmt: skip
    assert load_recipe(str(file)) == recipe
    assert hash(recipe) == hash(load_recipe(file))


def test_changes_make_a_copy() -> None:
    recipe = Recipe(**LEAST)
    changed = recipe.with_changes(epochs=7)
    assert (recipe.epochs, changed.epochs) == (2, 7)
    assert changed.with_changes(epochs=2) == recipe
    with pytest.raises(RecipeError, match="no field 'epoch'"):
        recipe.with_changes(epoch=7)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epoch": 3}, "no field 'epoch'; there are name, data"),
        ({3: "x"}, "no field '3'"),
        ({"objective": "papers"}, "objective is 'papers'"),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"input_size": 65}, "input_size must be a multiple of 32 and at most resize"),
        ({"input_size": 96}, "input_size must be a multiple of 32 and at most resize"),
        ({"batch_size": 15}, "batch_size is 15; pairs need an even number"),
        ({"epochs": 0}, "at least 1"),
        ({"epochs": 1.5}, "epochs is 1.5, not a number of type int"),
        ({"epochs": True}, "epochs is True"),
        ({"lr": "1e-3"}, "lr is '1e-3', not a number of type float"),
        ({"input_size": "224"}, "input_size is '224'"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(LEAST | fields), encoding="utf-8")
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(tmp_path / "mine.yaml")
    assert "\n" not in str(caught.value)


def test_yamls_own_trap() -> None:
    """It reads 1e-3 as text: the message shows it."""
    with pytest.raises(RecipeError, match="lr is '1e-3'"):
        recipe_from(LEAST | yaml.safe_load("lr: 1e-3"))
    assert recipe_from(LEAST | yaml.safe_load("lr: 1.0e-3")).lr == 0.001


def test_missing_fields_are_named(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("name: short\nlr: 0.1\n")
    with pytest.raises(RecipeError, match="has no data, backbone, input_size, resize, epochs"):
        load_recipe(tmp_path / "short.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "a: [1, 2\n", "\x00"])
def test_a_file_without_fields_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"bad\.yaml (holds no fields|is no YAML file)") as caught:
        load_recipe(tmp_path / "bad.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["eagles", "missing.yaml", "../birds"])
def test_a_recipe_that_is_not_there_is_answered_with_those_that_are(name: str) -> None:
    with pytest.raises(RecipeError, match="There is no recipe") as caught:
        load_recipe(name)
    assert all(n in str(caught.value) for n in shipped())
