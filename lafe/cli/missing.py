"""Packages that only some commands need, and how to get them."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

_OF_AN_EXTRA = re.compile(r"([\w.-]+)(\[[\w,]+\])?([^;[]*); extra == ['\"](\w+)['\"]")


def advice(error: ImportError) -> str | None:
    """A sentence that says what to install; None if no extra brings what was not found."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    wanted = _plain(error.name.partition(".")[0])
    try:
        lines = requires("lafe") or []
    except PackageNotFoundError:  # a checkout that was not installed
        return None
    for line in lines:
        found = _OF_AN_EXTRA.fullmatch(line.strip())
        if found and _plain(found[1]) == wanted != "lafe":  # whose extras name each other
            name, parts, bounds, extra = ((part or "").strip() for part in found.groups())
            return (
                f"This needs the package {name}, of the extra {extra!r}: in a checkout of LAFE, "
                f"pip install '.[{extra}]' brings all that it needs; anywhere, "
                f"pip install '{name}{parts}{bounds}' brings this one."
            )
    return None


def _plain(name: str) -> str:
    """A package's name, as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
