"""What a checkpoint says of itself: ``card.json``, checked against a schema before it is used."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import jsonschema

from lafe.errors import LafeError

_TEXT = {"type": "string", "maxLength": 4000}
_TEXTS = {"type": "array", "items": _TEXT, "maxItems": 10_000}
_THREE = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
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
        "mean": _THREE,
        "std": _THREE,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "licence": _TEXT,
        "data": {"type": "object"},
        "recipe": {"type": "object"},
        "date": _TEXT,
        "training": {"type": "object"},
        "figures": {"type": "object"},
        "unknown": {
            "type": "object",
            "additionalProperties": False,
            "required": ["score", "threshold"],
            "properties": {
                "score": {"enum": ["max_probability", "energy", "class_means"]},
                "threshold": {"type": "number"},
                "means_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "caught": {"type": "object", "additionalProperties": {"type": "number"}},
                "accepted": {"type": "number"},
                "measured_on": _TEXT,
            },
        },
        "limits": _TEXTS,
    },
}


class CardError(LafeError):
    """A card that cannot be used; the message names the field."""


@dataclass(frozen=True)
class Card:
    """The contents of ``card.json``.

    Attributes:
        name, title: for people.
        classes: names in label order.
        model: the arguments of :class:`lafe.LAFE`.
        resize: side in px that photos are squashed to before the centre crop of ``input_size``.
        mean, std: of the normalisation, per channel.
        sha256: of ``model.safetensors``.
        licence, data, recipe, date, training: where the weights come from.
        figures: accuracies, each with its split.
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
    unknown: dict[str, Any] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)

    @property
    def input_size(self) -> int:
        """S, the side of the model's input in px."""
        return self.model["input_size"]

    @property
    def backbone(self) -> str:
        return self.model["backbone"]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the card, without empty fields."""
        return {k: v for k, v in asdict(self).items() if v not in ("", {}, [])}

    @classmethod
    def from_dict(cls, values: Any) -> Card:
        """A card from a JSON object; CardError if it does not hold what a card must."""
        try:
            jsonschema.validate(values, SCHEMA)
        except jsonschema.ValidationError as error:
            where = ".".join(map(str, error.absolute_path)) or "the card"
            raise CardError(f"{where}: {error.message[:200]}") from error
        card = cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
        if len(card.classes) != card.model["num_classes"]:
            raise CardError(
                f"{len(card.classes)} class names for {card.model['num_classes']} classes."
            )
        if card.resize < card.input_size:
            raise CardError(f"resize {card.resize} is smaller than the input {card.input_size}.")
        return card
