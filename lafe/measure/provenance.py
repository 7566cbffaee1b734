"""The origin of measured figures."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lafe.version import __version__


@dataclass(frozen=True)
class Provenance:
    """The origin of a section: the command, the day, the versions and the machine."""

    command: str
    date: str
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""

    @classmethod
    def now(cls, command: str) -> Provenance:
        """The provenance of what a command measures here, today."""
        import torch  # seconds; who reads a report needs none of it

        versions = {"lafe": __version__, "torch": str(torch.__version__)}
        return cls(command, datetime.now(UTC).date().isoformat(), versions, platform.machine())
