"""The command line: ``lafe train``, ``evaluate``, ``predict``, ...  See ``lafe --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lafe.cli import app, models, photos, questions, tools
from lafe.cli.boundary import status
from lafe.cli.device import device
from lafe.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, see :mod:`lafe.cli.boundary`."""
    args = parser().parse_args(argv)

    def command() -> int:
        if "device" in args:
            args.device = device(args.device)
        return int(args.run(args))

    return status(command)


def parser() -> argparse.ArgumentParser:
    """Every command with its options; heavy imports wait until one is chosen."""
    lafe = argparse.ArgumentParser(
        "lafe", description="LAFE: what did the model look at, and what if it hadn't?"
    )
    lafe.add_argument("--version", action="version", version=__version__)
    commands = lafe.add_subparsers(required=True, metavar="COMMAND")
    for family in (app, photos, questions, models, tools):
        family.add(commands)
    return lafe


if __name__ == "__main__":
    sys.exit(main())
