"""A recipe: everything that decides a training run, in one YAML file."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lafe.errors import LafeError

OBJECTIVES = ("paper", "switched", "attentive")
GATES = ("plain", "standardised", "constant")

VARIANTS: dict[str, dict[str, Any]] = {
    "lafe": {},
    "no-region": {"region": False},
    "no-fusion": {"fusion": False},
    "no-losses": {"dis_loss": 0.0, "con_loss": 0.0},
    "no-con-loss": {"con_loss": 0.0},
    "plain": {"attention": False},
    "constant-gates": {"gates": "constant"},
    "switched": {"objective": "switched"},
    "attentive": {
        "objective": "attentive",
        "gates": "standardised",
        "con_loss": 0.0,
        "counterfactual_loss": 1.0,
        "overlap_loss": 0.3,
        "correlation_loss": 1.0,
        "correlation_allowed": 0.3,
        "subtraction_loss": 0.5,
        "rivals": 5,
        "switch_share": 0.33,
    },
}
"""The trained variants of Table 4, constant gates and our objectives, as changes to a recipe."""


class RecipeError(LafeError):
    """A recipe that cannot be used; the message names the field."""


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how.

    Attributes:
        name: of the run and its folder.
        data: ``cub``, ``cars``, ``aircraft`` or ``folder``.
        backbone, weights, region, fusion, attention, region_gate: see :class:`lafe.LAFE`.
        init: a run beside this one, or name or folder of a checkpoint, to start from.  Its
            classifier comes along if the classes are the same; init_branches: and its branches.
        probe: fit the classifier to the backbone's features first (linear probing), then train; it
            then no longer counts as a new layer.  probe_decay: L2 of the fit.
        branch_gain: of the last batch norms of D and C at the start: small ones leave a classifier
            that is fitted already alone.
        input_size: S in px; resize: side in px that photos are squashed to before the crop.
        gates: ``plain`` as printed, ``standardised`` in training (see
            :meth:`lafe.model.attention.RegionGate.standardise`) or ``constant``, one learned weight
            per region or channel for all photos; gate_gain: of standardised gates' outer weights.
        objective: ``paper`` (Eq. 11), ``switched`` (random switches each step, and the classifier
            also trained on D alone) or ``attentive`` (losses that dead attention cannot meet).
        dis_loss, con_loss: weights of Eq. 8 and 9 (1 as printed, 0 leaves one out).
        alone_loss: weight of the cross-entropy of the classifier on GAP(D) alone (``switched`` and
            ``attentive``).
        counterfactual_loss, overlap_loss, correlation_loss, subtraction_loss: weights of the parts
            of ``attentive``; correlation_allowed: of D's and C's maps; rivals: wrong classes among
            which ``subtraction_loss`` chooses, 0 for all classes; switch_share: of the pairs of
            ``attentive`` that have anything off.
        rotation: in degrees; flip; scale: range of area shares for a random resized crop, else a
            plain random crop; jitter; erase: see :func:`lafe.data.train_transform`.
        smoothing: of the labels.
        optimizer: ``sgd`` or ``adamw``; epochs, batch_size, lr, momentum (of SGD), weight_decay:
            its.  The batch size is that of all processes together.
        new_lr: factor on ``lr`` for the layers that begin at random; gate_lr: a further one for
            the gates.
        schedule: ``step`` (divide by 10 every ``step_epochs``) or ``onecycle``, which rises for the
            share ``warmup``.
        clip: largest norm of a step's gradient; 0 for any.
        average: decay of the moving average of the weights that is validated and kept; 0 for none.
        fit_scale: scale D and C by held-out photos at the end, see :mod:`lafe.train.scale`.
        freeze: modules of the backbone that stay as they are, with their batch norms.
        head_bf16, backbone_bf16: run the branches and fusions, or the backbone, in bfloat16 (gates
            and losses stay float32).
        val_fraction: share of each class's training photos held out to choose the epoch.
        seed: of everything random.
        title: how people call the checkpoint; data_licence: of its training photos; limits: what a
            user must know.  All three go into the card.
        about: what the recipe is for; hours: measured, with the machine.
    """

    name: str
    data: str
    backbone: str
    input_size: int
    resize: int
    epochs: int
    lr: float
    weights: str | None = "hub"
    init: str | None = None
    init_branches: bool = True
    probe: bool = False
    probe_decay: float = 1e-2
    branch_gain: float = 1.0
    region: bool = True
    fusion: bool = True
    attention: bool = True
    region_gate: str = "relu"
    gates: str = "plain"
    gate_gain: float = 4.0
    objective: str = "switched"
    dis_loss: float = 1.0
    con_loss: float = 1.0
    alone_loss: float = 0.5
    counterfactual_loss: float = 0.0
    overlap_loss: float = 0.0
    correlation_loss: float = 0.0
    subtraction_loss: float = 0.0
    correlation_allowed: float = 0.0
    rivals: int = 0
    switch_share: float = 0.0
    rotation: float = 0.0
    flip: bool = True
    scale: tuple[float, float] | None = None
    jitter: float = 0.0
    erase: float = 0.0
    smoothing: float = 0.0
    batch_size: int = 16
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    new_lr: float = 1.0
    gate_lr: float = 1.0
    schedule: str = "step"
    step_epochs: int = 40
    warmup: float = 0.3
    clip: float = 0.0
    average: float = 0.0
    fit_scale: bool = False
    freeze: tuple[str, ...] = ()
    head_bf16: bool = False
    backbone_bf16: bool = False
    val_fraction: float = 0.1
    seed: int = 0
    title: str = ""
    data_licence: str = ""
    limits: tuple[str, ...] = ()
    about: str = ""
    hours: str = ""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            numbers = {"int": (int,), "float": (int, float)}.get(str(f.type))
            if numbers and (isinstance(value, bool) or not isinstance(value, numbers)):
                # YAML reads 1e-3 as text: it wants 1.0e-3.
                raise RecipeError(f"{f.name} is {value!r}, not a number of type {f.type}.")
        choices = {
            "objective": OBJECTIVES,
            "gates": GATES,
            "optimizer": ("sgd", "adamw"),
            "schedule": ("step", "onecycle"),
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise RecipeError(f"{name} is {value!r}, not one of {', '.join(known)}.")
        if self.input_size % 32 or self.input_size > self.resize:
            raise RecipeError("input_size must be a multiple of 32 and at most resize.")
        if min(self.epochs, self.step_epochs, self.batch_size) < 1:
            raise RecipeError("epochs, step_epochs and batch_size must be at least 1.")
        if self.batch_size % 2:
            raise RecipeError(f"batch_size is {self.batch_size}; pairs need an even number.")

    def with_changes(self, **changes: Any) -> Recipe:
        """A copy with other values; RecipeError for a field that does not exist."""
        _known(changes)
        return replace(self, **changes)

    def variant(self, name: str) -> Recipe:
        """A trained variant of Table 4, with its name appended to the run's."""
        changes = VARIANTS[name]
        return self.with_changes(name=f"{self.name}-{name}", **changes) if changes else self

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and JSON hold them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by the name of a shipped one or the path of a YAML file.

    Raises:
        RecipeError: no such recipe, or a field that is unknown, missing or impossible.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = Path(str(resources.files("lafe.train") / "recipes" / f"{name_or_path}.yaml"))
    if not path.is_file():
        raise RecipeError(
            f"There is no recipe {str(name_or_path)!r}: give the path of a YAML file, or one of "
            f"{', '.join(shipped())}."
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is no YAML file: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{path} holds no fields.")
    return recipe_from(values)


def recipe_from(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, as a YAML file or a card holds them."""
    _known(values)
    missing = [f.name for f in fields(Recipe) if f.default is MISSING and f.name not in values]
    if missing:
        raise RecipeError(f"A recipe is incomplete: it has no {', '.join(missing)}.")
    tuples = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Recipe(**(values | tuples))


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("lafe.train") / "recipes"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if ".yaml" in p.name)


def _known(values: dict[str, Any]) -> None:
    unknown = sorted(map(str, values.keys() - {f.name for f in fields(Recipe)}))
    if unknown:
        raise RecipeError(
            f"A recipe has no field {unknown[0]!r}; there are "
            f"{', '.join(f.name for f in fields(Recipe))}."
        )
