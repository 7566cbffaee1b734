"""The card of a checkpoint, checked against a schema before it is used."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import jsonschema

from lafe import markup
from lafe.data.names import same
from lafe.errors import LafeError

_TEXT = {"type": "string", "maxLength": 4000}
_TEXTS = {"type": "array", "items": _TEXT, "maxItems": 10_000}
_NUMBER = {"type": "number"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_COUNT = {"type": "integer", "minimum": 0}


def _three(low: float, high: float) -> dict[str, Any]:
    number = {"type": "number", "minimum": low, "maximum": high}
    return {"type": "array", "items": number, "minItems": 3, "maxItems": 3}


_SIZE = {"type": "integer", "minimum": 32, "maximum": 4096}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "classes", "model", "resize", "mean", "std", "sha256"],
    "properties": {
        "name": _TEXT,
        "title": _TEXT,
        "classes": _TEXTS | {"minItems": 1},
        "model": {
            "type": "object",
            "additionalProperties": False,
            "required": ["backbone", "num_classes", "input_size"],
            "properties": {
                "backbone": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,100}$"},
                "num_classes": {"type": "integer", "minimum": 1, "maximum": 100_000},
                "input_size": _SIZE | {"multipleOf": 32},
                "region": {"type": "boolean"},
                "fusion": {"type": "boolean"},
                "attention": {"type": "boolean"},
                "region_gate": {"enum": ["relu", "sigmoid"]},
            },
        },
        "resize": _SIZE,
        "mean": _three(-1e3, 1e3),
        "std": _three(1e-3, 1e3),
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "licence": _TEXT,
        "data": {"type": "object", "additionalProperties": _TEXT},
        "recipe": {"type": "object"},
        "date": _TEXT,
        "training": {
            "type": "object",
            "properties": {
                "photos": _COUNT,
                "held_out": _COUNT,
                "best_epoch": _COUNT,
                "val_top1": _SHARE,
                "hours": {"type": "number", "minimum": 0},
                "settings": {"type": "string", "pattern": "^[0-9a-f]{1024}$"},
            },
        },
        "figures": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"photos": _COUNT, "top1": _SHARE, "top5": _SHARE, "ece": _SHARE},
                "additionalProperties": _NUMBER,
            },
        },
        "verdict": _TEXT,
        "unknown": {
            "type": "object",
            "additionalProperties": False,
            "required": ["score", "threshold"],
            "properties": {
                "score": {"enum": ["max_probability", "energy", "class_means"]},
                "threshold": _NUMBER,
                "caught": {"type": "object", "additionalProperties": _SHARE},
                "accepted": _SHARE,
                "measured_on": _TEXT,
            },
        },
        "limits": _TEXTS,
    },
}


# 256.0 is no integer here: sizes are used as they stand.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)

_MOST_DIGITS = 15
_DEEPEST = 20


class CardError(LafeError):
    """A card that cannot be used; the message names the field."""


@dataclass(frozen=True)
class Card:
    """The contents of a card.

    Attributes:
        name, title: for people.
        classes: names in label order.
        model: the arguments of :class:`lafe.LAFE`.
        resize: side in px that photos are squashed to before the centre crop of ``input_size``.
        mean, std: of the normalisation, per channel.
        sha256: of the weights and the class list, see
            :func:`lafe.checkpoints.stored.fingerprint`.
        licence, data, recipe, date, training: where the weights come from.
        figures: accuracies, each with its split.
        verdict: one sentence, written from the numbers, on whether its gates follow the photo.
        unknown: score and threshold under which a photo looks like nothing the model knows.
        limits: what a user must know before trusting it.
    """

    name: str
    classes: list[str]
    model: dict[str, Any]
    resize: int
    mean: list[float]
    std: list[float]
    sha256: str
    title: str = ""
    licence: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    date: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    unknown: dict[str, Any] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)

    @property
    def input_size(self) -> int:
        """S, the side of the model's input in px."""
        size: int = self.model["input_size"]
        return size

    @property
    def backbone(self) -> str:
        name: str = self.model["backbone"]
        return name

    def drew(self, index: int) -> bool | None:
        """True if training ever drew the setting of this ``Switches.index``; None if not known."""
        mask = self.training.get("settings")
        return None if mask is None else bool(int(mask, 16) >> index & 1)

    def _repr_html_(self) -> str:
        """The card in a notebook."""
        values = {
            "checkpoint": self.name,
            "classes": f"{len(self.classes)}, such as {', '.join(self.classes[:3])}",
            "model": f"{self.backbone}, {self.input_size} px",
            "data": self.data.get("name", ""),
            "licence": self.licence,
            "date": self.date,
            "verdict": self.verdict,
            "limits": " ".join(self.limits),
            "sha256": self.sha256,
        }
        for split, figures in self.figures.items():
            values[f"{split} photos"] = ", ".join(f"{k} {v:.4g}" for k, v in figures.items())
        rows = [(key, value) for key, value in values.items() if value]
        return markup.table(self.title or self.name, (), rows)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the card, without empty fields."""
        return {k: v for k, v in asdict(self).items() if v not in ("", {}, [])}

    @classmethod
    def from_dict(cls, values: Any) -> Card:
        """A card from a JSON object; CardError if it does not hold what a card must."""
        error = jsonschema.exceptions.best_match(_Validator(SCHEMA).iter_errors(values))
        if error is not None:
            where = ".".join(map(str, error.absolute_path)) or "the card"
            raise CardError(f"{where}: {error.message[:200]}")
        card = cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
        if len(card.classes) != card.model["num_classes"]:
            raise CardError(
                f"{len(card.classes)} class names for {card.model['num_classes']} classes."
            )
        if pair := same(card.classes):
            raise CardError(
                f"the classes {pair[0]!r} and {pair[1]!r} differ in case or separators only."
            )
        if card.resize < card.input_size:
            raise CardError(f"resize {card.resize} is smaller than the input {card.input_size}.")
        return card


def parse(text: str) -> Card:
    """A card from JSON; CardError if it does not hold what a card must."""
    return Card.from_dict(load_strictly(text))


def load_strictly(text: str) -> Any:
    """The values of a JSON text, safe to use: finite numbers, text that can be written.

    Raises:
        CardError: no JSON; NaN, infinity or more digits than a float holds; half a character; a
            value 20 levels down.
    """

    def constant(name: str) -> float:
        raise CardError(f"it holds {name}.")

    def integer(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise CardError(f"it holds a number of {len(digits)} digits.")
        return int(digits)

    def real(digits: str) -> float:
        if not math.isfinite(value := float(digits)):
            raise CardError(f"it holds {digits[:20]}, which is too large.")
        return value

    try:
        values = json.loads(text, parse_constant=constant, parse_int=integer, parse_float=real)
        json.dumps(values, ensure_ascii=False).encode()
    except CardError:
        raise
    except (ValueError, RecursionError) as error:
        raise CardError(str(error)) from error
    if _depth(values) > _DEEPEST:
        raise CardError(f"it is nested more than {_DEEPEST} levels deep.")
    return values


def _depth(values: Any) -> int:
    """Levels of nesting, without recursion."""
    depth, level = 0, [values]
    while level := [
        inner
        for each in level
        if isinstance(each, (dict, list))
        for inner in (each.values() if isinstance(each, dict) else each)
    ]:
        depth += 1
    return depth
