"""Files of measurements: frozen dataclasses as JSON, read and written strictly.

The dataclass is the schema.  A field that is missing, of another type or not known, and a number
that is not finite, are errors; what could not be read again is not written.  cattrs does it: it is
pure Python on top of attrs, which jsonschema brings anyway, and it names the place of an error.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeVar

from cattrs import BaseValidationError, Converter, transform_error
from cattrs.errors import ForbiddenExtraKeysError

from lafe.errors import LafeError
from lafe.files import write_json
from lafe.train.recipe import Recipe, recipe_from

MAX_BYTES = 64 * 1024**2

R = TypeVar("R")


class ReportError(LafeError):
    """A file of measurements that cannot be used; the message names it and says what to do."""


def read(file: Path, kind: type[R]) -> R:
    """The record in a JSON file.

    Raises:
        ReportError: no such file, no JSON, or no record of this kind.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ReportError(f"{file} is larger than {MAX_BYTES:,} bytes: it is no report.")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{file} cannot be read ({error}): measure again.") from error
    return from_text(text, kind, str(file))


def write(file: Path, record: Any) -> None:
    """Write a record as JSON in one step; the folder is made.

    Raises:
        ReportError: it holds what could not be read again, such as a number that is not finite.
    """
    values = _CONVERTER.unstructure(record)
    _structure(values, type(record), f"What was measured for {file}")
    write_json(file, values)


def from_text(text: str, kind: type[R], where: str) -> R:
    """The record in a text; ReportError begins with ``where``."""
    try:
        values = json.loads(text)
    except (RecursionError, json.JSONDecodeError) as error:
        raise ReportError(f"{where} is no whole JSON ({error}): measure again.") from error
    return _structure(values, kind, where)


def to_text(record: Any) -> str:
    """A record in one line, with every field."""
    return json.dumps(_CONVERTER.unstructure(record), allow_nan=False)


def _structure(values: Any, kind: type[R], where: str) -> R:
    try:
        return _CONVERTER.structure(values, kind)
    except RecursionError as error:
        raise ReportError(f"{where} holds no {kind.__name__}: it is too deep.") from error
    except (BaseValidationError, AttributeError, TypeError, ValueError) as error:
        first = transform_error(error, "record", _said)[0].replace(" @ ", " at ")
        raise ReportError(f"{where} holds no {kind.__name__} ({first}): measure again.") from error


def _said(error: BaseException, kind: type | None) -> str:
    """The fault in words; cattrs adds where it is."""
    match error:
        case KeyError():
            return "a field is missing"
        case ForbiddenExtraKeysError():
            return f"there is no field {sorted(error.extra_fields)[0]!r}"
        case ValueError():
            return str(error).rstrip(".")
        case _:
            return "a value is of another type"


def _exactly(value: Any, kind: Any) -> Any:
    """A plain value of this type: nothing is turned into another, but 1 into 1.0."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ValueError(f"{str(value)[:40]!r} is no {kind.__name__}")
    return value


_CONVERTER = Converter(forbid_extra_keys=True)
for _plain in (bool, int, float, str):
    _CONVERTER.register_structure_hook(_plain, _exactly)
_CONVERTER.register_structure_hook(Recipe, lambda values, _: recipe_from(values))
_CONVERTER.register_unstructure_hook(Recipe, Recipe.to_dict)
