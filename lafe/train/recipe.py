"""A recipe: everything that decides a training run, in one YAML file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from lafe.data.benchmarks import KINDS
from lafe.errors import LafeError
from lafe.train.variants import GATES, OBJECTIVES, VARIANTS


class RecipeError(LafeError):
    """A recipe that cannot be used; the message names the field."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


MAX_BYTES = 1024**2

_Kind = tuple[dict[str, Any], str]
"""A JSON schema, and the same in words."""

_TRUTH: _Kind = {"type": "boolean"}, "true or false"
_TEXT: _Kind = {"type": "string", "maxLength": 4000}, "a text"
_TEXT_OR_NULL: _Kind = {"type": ["string", "null"], "maxLength": 4000}, "a text or null"
_TEXTS: _Kind = {"type": "array", "items": _TEXT[0]}, "a list of texts"
_COUNT: _Kind = {"type": "integer", "minimum": 1, "maximum": 10**6}, "a whole number from 1"
_WEIGHT: _Kind = (
    {"type": "number", "minimum": 0, "maximum": 10**6},
    "a number from 0 (YAML wants 1.0e-3 for 1e-3)",
)
_POSITIVE: _Kind = (
    {"type": "number", "exclusiveMinimum": 0, "maximum": 10**6},
    "a number above 0 (YAML wants 1.0e-3 for 1e-3)",
)
_SHARE: _Kind = {"type": "number", "minimum": 0, "maximum": 1}, "a number from 0 to 1"
_BELOW_1: _Kind = (
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "a number from 0 to below 1",
)


def _one_of(*names: str) -> _Kind:
    return {"enum": list(names)}, "one of " + ", ".join(names)


_FIELDS: dict[str, _Kind] = {
    # A run's folder has this name: it cannot leave the folder of the runs.
    "name": (
        {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"},
        "a name of at most 100 letters, digits, '.', '_' and '-'",
    ),
    "data": _one_of(*KINDS),
    "backbone": _TEXT,
    "input_size": (
        {"type": "integer", "minimum": 32, "maximum": 4096, "multipleOf": 32},
        "a multiple of 32",
    ),
    "resize": ({"type": "integer", "minimum": 32, "maximum": 4096}, "a number of px from 32"),
    "epochs": _COUNT,
    "lr": _POSITIVE,
    "weights": _TEXT_OR_NULL,
    "init": _TEXT_OR_NULL,
    "init_branches": _TRUTH,
    "probe": _TRUTH,
    "probe_decay": _WEIGHT,
    "branch_gain": _POSITIVE,
    "begin_as_stage5": (
        {"type": "array", "items": {"enum": ["dis", "con"]}, "uniqueItems": True},
        "a list of dis and con",
    ),
    "region": _TRUTH,
    "fusion": _TRUTH,
    "attention": _TRUTH,
    "region_gate": _one_of("relu", "sigmoid"),
    "gates": _one_of(*GATES),
    "gate_gain": _POSITIVE,
    "objective": _one_of(*OBJECTIVES),
    "dis_loss": _WEIGHT,
    "con_loss": _WEIGHT,
    "alone_loss": _WEIGHT,
    "counterfactual_loss": _WEIGHT,
    "overlap_loss": _WEIGHT,
    "correlation_loss": _WEIGHT,
    "subtraction_loss": _WEIGHT,
    "correlation_allowed": _SHARE,
    "rivals": ({"type": "integer", "minimum": 0, "maximum": 10**6}, "a whole number from 0"),
    "distillation": _SHARE,
    "switch_share": _SHARE,
    "rotation": ({"type": "number", "minimum": 0, "maximum": 180}, "a number of degrees"),
    "flip": _TRUTH,
    "scale": (
        {
            "type": ["array", "null"],
            "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "minItems": 2,
            "maxItems": 2,
        },
        "two shares such as [0.5, 1.0], the smaller first, or null",
    ),
    "jitter": _SHARE,
    "erase": _SHARE,
    "delete_cell": _SHARE,
    "smoothing": _BELOW_1,
    "batch_size": (
        {"type": "integer", "minimum": 2, "maximum": 10**6, "multipleOf": 2},
        "an even number: batches are made of pairs",
    ),
    "optimizer": _one_of("sgd", "adamw"),
    "momentum": _BELOW_1,
    "weight_decay": _WEIGHT,
    "new_lr": _WEIGHT,
    "gate_lr": _WEIGHT,
    "schedule": _one_of("step", "onecycle"),
    "step_epochs": _COUNT,
    "warmup": (
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "a number between 0 and 1",
    ),
    "clip": _WEIGHT,
    "average": _BELOW_1,
    "fit_scale": _TRUTH,
    "freeze": _TEXTS,
    "head_bf16": _TRUTH,
    "backbone_bf16": _TRUTH,
    "views": ({"type": "integer", "minimum": 0, "maximum": 1000}, "a whole number from 0"),
    "val_fraction": _BELOW_1,
    "keep": _one_of("best", "last"),
    "seed": ({"type": "integer", "minimum": 0, "maximum": 10**9}, "a whole number from 0"),
    "title": _TEXT,
    "data_licence": _TEXT,
    "limits": _TEXTS,
    "about": _TEXT,
    "hours": _TEXT,
}

EXPECTED = {name: words for name, (_, words) in _FIELDS.items()}
"""The fields in words."""

PROSE = ("title", "about", "hours", "limits", "data_licence")
"""Fields that only people read."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "data", "backbone", "input_size", "resize", "epochs", "lr"],
    "properties": {name: schema for name, (schema, _) in _FIELDS.items()},
}


@dataclass(frozen=True)
class Recipe:
    """A training run: model, data, objective and schedule.

    Attributes:
        name: of the run and its folder.
        data: ``cub``, ``cars``, ``aircraft``, ``partbirds`` or ``folder``.
        backbone, weights, region, fusion, attention, region_gate: see :class:`lafe.LAFE`.
        init: a run beside this one, or name or folder of a checkpoint, to start from.  Its
            classifier comes along if the classes are the same; init_branches: and its branches.
        probe: fit the classifier to the backbone's features first (linear probing), then train; it
            then no longer counts as a new layer.  probe_decay: L2 of the fit.
        branch_gain: of the last batch norms of D and C at the start: small ones leave a classifier
            that is fitted already alone.
        begin_as_stage5: the sides, ``dis`` and ``con``, that begin as gated f_5 and not at random,
            see :func:`lafe.train.begin.begin_as_stage5`.
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
            which ``subtraction_loss`` chooses, 0 for all classes; distillation: share of what the
            classifier says of f_5 alone in the targets of its other parts, 0 for smoothed labels;
            switch_share: of the pairs of ``attentive`` that have anything off.
        rotation: in degrees; flip; scale: range of area shares for a random resized crop, else a
            plain random crop; jitter; erase; delete_cell: see :func:`lafe.data.train_transform`.
        smoothing: of the labels.
        optimizer: ``sgd`` or ``adamw``; epochs, batch_size, lr, momentum (of SGD), weight_decay:
            its.  The batch size is that of all processes together.
        new_lr: factor on ``lr`` for the layers that begin at random; gate_lr: a further one for
            the gates.
        schedule: ``step`` (divide by 10 every ``step_epochs``) or ``onecycle``, which rises for the
            share ``warmup``.
        clip: largest norm of a step's gradient; 0 for any.
        average: decay of the moving average of the weights that is validated and kept; 0 for none.
        fit_scale: scale D and C by held-out photos at the end of ``attentive``, see
            :mod:`lafe.train.scale`.
        freeze: modules of the backbone that stay as they are, with their batch norms.
        head_bf16, backbone_bf16: run the branches and fusions, or the backbone, in bfloat16 (gates
            and losses stay float32).
        views: with a backbone that is frozen as a whole, the features of so many augmented views of
            every training photo are computed once, before the first epoch, and the epochs take them
            in turn; 0 passes freshly augmented photos each time.
        val_fraction: share of each class's training photos held out; with 0 all are trained on, and
            the last epoch is kept.
        keep: the ``best`` epoch by top-1 on held-out photos, or the ``last`` one: of few held-out
            photos the best is drawn by lot, and a schedule that falls to zero has its sense at its
            end.
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
    begin_as_stage5: tuple[str, ...] = ()
    region: bool = True
    fusion: bool = True
    attention: bool = True
    region_gate: str = "relu"
    gates: str = "plain"
    gate_gain: float = 4.0
    objective: str = "paper"
    dis_loss: float = 1.0
    con_loss: float = 1.0
    alone_loss: float = 0.5
    counterfactual_loss: float = 0.0
    overlap_loss: float = 0.0
    correlation_loss: float = 0.0
    subtraction_loss: float = 0.0
    correlation_allowed: float = 0.0
    rivals: int = 0
    distillation: float = 0.0
    switch_share: float = 0.0
    rotation: float = 0.0
    flip: bool = True
    scale: tuple[float, float] | None = None
    jitter: float = 0.0
    erase: float = 0.0
    delete_cell: float = 0.0
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
    views: int = 0
    val_fraction: float = 0.1
    keep: str = "best"
    seed: int = 0
    title: str = ""
    data_licence: str = ""
    limits: tuple[str, ...] = ()
    about: str = ""
    hours: str = ""

    def __post_init__(self) -> None:
        _check(self.to_dict())
        if self.input_size > self.resize:
            raise RecipeError(
                f"input_size is {self.input_size}, which is more than resize ({self.resize}).",
                "input_size",
            )
        if self.scale and self.scale[0] > self.scale[1]:
            raise _wrong("scale", list(self.scale))
        own = (self.counterfactual_loss, self.overlap_loss, self.correlation_loss)
        if self.objective == "attentive" and not any((*own, self.subtraction_loss)):
            raise RecipeError(
                "objective is attentive, and the weights of all its losses are 0: it would be a "
                "name alone.  Set counterfactual_loss, overlap_loss, correlation_loss or "
                "subtraction_loss, or take all of them from `--objective attentive`.",
                "objective",
            )
        if self.fit_scale and not self.val_fraction:
            raise RecipeError(
                "fit_scale is true, which needs held-out photos: val_fraction is 0.", "fit_scale"
            )

    def with_changes(self, **changes: Any) -> Recipe:
        """A copy with other values; RecipeError for a field that does not exist."""
        unknown = sorted(changes.keys() - EXPECTED.keys())
        if unknown:
            raise RecipeError(
                f"A recipe has no field {unknown[0]!r}; there are {', '.join(EXPECTED)}."
            )
        return replace(self, **changes)

    def under(self, objective: str) -> Recipe:
        """The recipe under another objective, with all that belongs to it: losses, gates, draws."""
        if objective == self.objective:
            return self
        left = VARIANTS.get(self.objective, {})  # what belonged to it goes
        start = {f.name: f.default for f in fields(Recipe) if f.name in left}
        return self.with_changes(**start | {"objective": objective} | VARIANTS.get(objective, {}))

    def variant(self, name: str) -> Recipe:
        """A trained variant of Table 4, with its name appended to the run's."""
        if name in OBJECTIVES:
            return self.under(name).with_changes(name=f"{self.name}-{name}")
        changes = VARIANTS[name]
        return self.with_changes(name=f"{self.name}-{name}", **changes) if changes else self

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and JSON hold them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by the name of a shipped one or the path of a YAML file.

    Raises:
        RecipeError: no such recipe, or a field that is unknown, missing or impossible; with the
            line, and what was expected.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = Path(str(resources.files("lafe.train") / "recipes" / f"{name_or_path}.yaml"))
    if not path.is_file():
        raise RecipeError(
            f"There is no recipe {str(name_or_path)!r}: give the path of a YAML file, or one of "
            f"{', '.join(shipped())}."
        )
    if path.stat().st_size > MAX_BYTES:
        raise RecipeError(f"{path} is larger than {MAX_BYTES:,} bytes: it is no recipe.")
    try:
        lines, values = _parse(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is no YAML file: {' '.join(str(error).split())}.") from error
    if values is None:
        raise RecipeError(f"{path} holds no fields.")
    try:
        return recipe_from(values)
    except RecipeError as error:
        line = lines.get(error.field)
        where = path.name if line is None else f"{path.name}, line {line}"
        raise RecipeError(f"{where}: {error}", error.field) from error


def recipe_from(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, as a YAML file or a card holds them."""
    _check(values)
    tuples = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Recipe(**(values | tuples))


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("lafe.train") / "recipes"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if ".yaml" in p.name)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without aliases: a recipe needs none, and a few lines of them can fill all memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, "a recipe has no aliases (*name)", event.start_mark
            )
        return super().compose_node(parent, index)


def _parse(text: str) -> tuple[dict[str, int], dict[str, Any] | None]:
    """The line of each field and the values; None for a text that is no mapping."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            return {}, None
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.value in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is here a second time", key.start_mark
                )
            lines[str(key.value)] = key.start_mark.line + 1
        return lines, loader.construct_document(node)
    finally:
        loader.dispose()


def _check(values: Any) -> None:
    """RecipeError for the first field that is unknown, missing or impossible."""
    errors = _Validator(SCHEMA).iter_errors(values)
    error = min(errors, key=lambda e: (not e.absolute_path, str(e.absolute_path)), default=None)
    if error is None:
        return
    if error.absolute_path:
        name = str(error.absolute_path[0])
        raise _wrong(name, values[name])
    unknown = sorted(map(str, values.keys() - SCHEMA["properties"].keys()))
    if unknown:
        raise RecipeError(
            f"A recipe has no field {unknown[0]!r}; there are {', '.join(EXPECTED)}.", unknown[0]
        )
    missing = [name for name in SCHEMA["required"] if name not in values]
    raise RecipeError(f"A recipe is incomplete: it has no {', '.join(missing)}.")


def _wrong(name: str, value: Any) -> RecipeError:
    return RecipeError(f"{name} is {_short(value)}, not {EXPECTED[name]}.", name)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(_: Any, value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_integer(_, value) and abs(value) < 2**53  # more is no float any longer


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)
