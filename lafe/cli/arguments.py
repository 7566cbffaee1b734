"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from lafe.branches import Switches

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The commands of a parser, to which each family adds its own."""

CHECKPOINT = "its name, or its folder"
DATA = "folder of the data set, or its parent"


def switches(text: str) -> Switches:
    """A setting of the switches."""
    try:
        return Switches.parse(text)
    except ValueError as error:  # argparse would keep the reason to itself
        raise argparse.ArgumentTypeError(str(error)) from error


def add_device(command: argparse.ArgumentParser) -> None:
    """The device that a command runs on; :func:`lafe.cli.device.device` reads it."""
    command.add_argument(
        "--device",
        default="auto",
        help="cpu, gpu, or the second one as gpu:1 (default: a GPU where there is one)",
    )


def whole(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on.")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not whole(text):
        raise argparse.ArgumentTypeError("one is the least.")
    return int(text)
