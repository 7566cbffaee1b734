"""A device in Lightning's words."""

from __future__ import annotations

from typing import Any


def accelerator(device: str) -> dict[str, Any]:
    """Options of :class:`lightning.Trainer` for a device of PyTorch, like ``cuda:1``."""
    kind, _, index = device.partition(":")
    options: dict[str, Any] = {"accelerator": "gpu" if kind == "cuda" else kind}
    return options | ({"devices": [int(index)]} if index else {})
