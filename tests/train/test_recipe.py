"""Recipes: the shipped ones load, and what cannot be used is refused by the name of its field."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import yaml

from lafe.train.recipe import (
    EXPECTED,
    SCHEMA,
    Recipe,
    RecipeError,
    load_recipe,
    recipe_from,
    shipped,
)
from lafe.train.variants import VARIANTS

LEAST = {"name": "mine", "data": "folder", "backbone": "test_resnet", "input_size": 64,
         "resize": 72, "epochs": 2, "lr": 0.01}  # fmt: skip


def test_small_recipes_are_shipped() -> None:
    assert {"birds", "cars", "aircraft"} <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_loads_and_says_what_it_is_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about
    assert recipe.data in ("cub", "cars", "aircraft", "partbirds")


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
        "jitter": 0, "erase": 0, "delete_cell": 0, "smoothing": 0,
        "momentum": 0.9, "weight_decay": 5e-4,
        "batch_size": 16, "lr": 0.0015, "new_lr": 1, "schedule": "step", "step_epochs": 40,
        "epochs": 200, "objective": "paper", "dis_loss": 1, "con_loss": 1, "region": True,
        "val_fraction": 0,
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
            "correlation_allowed": 0.3, "subtraction_loss": 0.5, "rivals": 5,
            "distillation": 0.7, "switch_share": 0.33,
        },
    }  # fmt: skip
    assert set(VARIANTS) == set(changes)
    for name, changed in changes.items():
        varied = recipe.variant(name).to_dict()
        different = {k for k, v in recipe.to_dict().items() if varied[k] != v}
        assert different == set(changed) | ({"name"} if changed else set())
        assert {k: varied[k] for k in changed} == changed


def test_an_objective_brings_what_belongs_to_it_and_takes_it_away_again() -> None:
    paper = Recipe(**LEAST, con_loss=0.5)
    attentive = paper.under("attentive")
    assert {k: getattr(attentive, k) for k in VARIANTS["attentive"]} == VARIANTS["attentive"]
    assert attentive.name == paper.name
    assert attentive.with_changes(rivals=3).under("attentive").rivals == 3
    assert paper.under("switched") == paper.with_changes(objective="switched")
    back = attentive.under("paper")
    assert back == Recipe(**LEAST)  # Eq. 11 to the letter
    assert attentive.variant("switched").gates == "plain"


def test_attentive_is_more_than_a_name() -> None:
    with pytest.raises(RecipeError, match="objective is attentive, and the weights of all"):
        Recipe(**LEAST, objective="attentive", gates="standardised")


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
        ({"objective": "papers"}, "objective is 'papers', not one of paper, switched, attentive"),
        ({"schedule": "cosine"}, "schedule is 'cosine', not one of step, onecycle"),
        ({"input_size": 65}, "input_size is 65, not a multiple of 32"),
        ({"input_size": 96}, r"input_size is 96, which is more than resize \(72\)"),
        ({"batch_size": 15}, "batch_size is 15, not an even number"),
        ({"epochs": 0}, "epochs is 0, not a whole number from 1"),
        ({"epochs": 1.5}, "epochs is 1.5, not a whole number"),
        ({"epochs": True}, "epochs is True"),
        ({"lr": "1e-3"}, r"lr is '1e-3', not a number above 0 \(YAML wants 1.0e-3"),
        ({"lr": float("nan")}, "lr is nan, not a number"),
        ({"lr": float("inf")}, "lr is inf, not a number"),
        ({"lr": -0.1}, "lr is -0.1"),
        ({"lr": 10**400}, "lr is 1000"),
        ({"input_size": "224"}, "input_size is '224'"),
        ({"probe": "no"}, "probe is 'no', not true or false"),
        ({"flip": 1}, "flip is 1, not true or false"),
        ({"limits": "text"}, "limits is 'text', not a list of texts"),
        ({"freeze": [1]}, r"freeze is \[1\], not a list of texts"),
        ({"scale": 0.5}, "scale is 0.5, not two shares"),
        ({"scale": [0.5, 1.5]}, "not two shares"),
        ({"scale": [1.0, 0.5]}, r"scale is \[1.0, 0.5\], not two shares .* the smaller first"),
        ({"title": ["a"]}, r"title is \['a'\], not a text"),
        ({"seed": -1}, "seed is -1"),
        ({"smoothing": 1}, "smoothing is 1"),
        (
            {"data": "dogs"},
            "data is 'dogs', not one of cub, cars, aircraft, partbirds, funnybirds, folder",
        ),
        ({"fit_scale": True, "val_fraction": 0}, "needs held-out photos"),
        ({"name": "../../x"}, "name is '../../x', not a name"),
        ({"name": "/tmp/x"}, "name is '/tmp/x', not a name"),
        ({"name": ".."}, "name is '..', not a name"),
        ({"name": ""}, "name is '', not a name"),
        ({"name": "a\n"}, "not a name"),
        ({"name": 3}, "name is 3, not a name"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(LEAST | fields), encoding="utf-8")
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(tmp_path / "mine.yaml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500
    with pytest.raises(RecipeError):  # by whatever way it comes
        recipe_from(LEAST | fields)
    if set(fields) <= set(EXPECTED):
        with pytest.raises(RecipeError, match=message):
            Recipe(**LEAST).with_changes(**fields)


def test_the_line_of_a_wrong_field_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(LEAST, sort_keys=False) + "# a remark\nprobe: maybe\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 9: probe is 'maybe'"):
        load_recipe(file)
    file.write_text(yaml.safe_dump(LEAST, sort_keys=False) + "\nspeed: 3\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 9: A recipe has no field 'speed'"):
        load_recipe(file)
    file.write_text(yaml.safe_dump(LEAST | {"resize": 32}, sort_keys=False))
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 4: input_size is 64, .* resize \(32"):
        load_recipe(file)


def test_every_field_has_a_schema_and_every_default_fits_it() -> None:
    assert list(EXPECTED) == [f.name for f in fields(Recipe)]
    assert set(SCHEMA["required"]) == {f.name for f in fields(Recipe) if f.default is MISSING}
    recipe = Recipe(**LEAST)
    for name in EXPECTED:  # no field takes whatever it is given
        with pytest.raises(RecipeError, match=f"^{name} is "):
            recipe.with_changes(**{name: {"an": "object"}})


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "a recipe has no aliases .* line 2"),
        ("name: &n x\ntitle: *n\n", "a recipe has no aliases"),
        ("name: x\nname: y\n", "'name' is here a second time.* line 2"),
        ("[" * 5000, "is no YAML file"),
        ("a: " + "[" * 5000, "is no YAML file"),
        ("name: !!python/object/apply:os.system [true]\n", "is no YAML file"),
        ("x" * 2_000_000, "larger than 1,048,576 bytes"),
    ],
    ids=["bomb", "alias", "twice", "deep", "deep value", "object", "large"],
)
def test_a_hostile_file_is_refused_at_once(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "mine.yaml")


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
