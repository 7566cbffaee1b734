"""One meaning of ``--device``, whatever the command."""

from __future__ import annotations

import re
from typing import Any

from lafe.errors import LafeError


class DeviceError(LafeError):
    """A device that is not here; the message says which are."""


def device(text: str) -> str:
    """PyTorch's name of a device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Args:
        text: one of these; ``gpu`` is a word for ``cuda``, and ``auto`` takes it where there is
            one, else the CPU.

    Raises:
        DeviceError: no such word, or no such device here.
    """
    import torch

    found = re.fullmatch(r"(auto|cpu|mps)|(?:cuda|gpu)(?::(\d{1,3}))?", text)
    if found is None:
        raise DeviceError(
            f"There is no device {text!r}: choose auto, cpu, mps, gpu, or the second GPU as gpu:1."
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    word, index = found.groups()
    if word == "auto":
        return "cuda" if count else "cpu"
    if word == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("There is no device mps here: choose --device cpu.")
    if word:
        return word
    if not count:
        raise DeviceError(
            f"There is no device {text} here, since PyTorch finds no CUDA GPU with a driver: "
            "choose --device cpu."
        )
    if index is None:
        return "cuda"
    if int(index) >= count:
        raise DeviceError(
            f"There is no device {text} here: the last of {count} is gpu:{count - 1}."
        )
    return f"cuda:{int(index)}"


def trainer_devices(device: str, count: int | None) -> dict[str, Any]:
    """Options of Lightning's Trainer for ``count`` devices of a kind, each with its process.

    Raises:
        DeviceError: more GPUs than there are, or several where one was named.
    """
    import torch

    from lafe.train.accelerator import accelerator

    options = {"devices": count or 1} | accelerator(device)
    if count is not None and options["devices"] != count:
        raise DeviceError(f"{device} is one device: leave --devices out, or name the device gpu.")
    if device == "cuda" and options["devices"] > torch.cuda.device_count():
        raise DeviceError(f"There are {torch.cuda.device_count()} GPUs here, not {count}.")
    return options
