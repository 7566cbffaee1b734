"""Counts over rows: who is right, and how often two settings agree."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts over photos: who is right, and how often two settings agree."""

    photos: int = 0
    labelled: int = 0
    agree: int = 0
    right: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    only: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})

    def add(self, true: str | None, a: str, b: str | None) -> None:
        """Count a photo's predicted class under A and, if there is one, B."""
        self.photos += 1
        self.agree += a == b
        if true is None:
            return
        self.labelled += 1
        self.right["A"] += a == true
        self.right["B"] += b == true
        if b is not None and (a == true) != (b == true):
            self.only["A" if a == true else "B"] += 1

    def lines(self, versus: bool) -> list[str]:
        """The counts as sentences."""
        said = []
        if self.labelled and (without := self.photos - self.labelled):
            said.append(f"The folders of {without} photos name no class of this model.")
        if self.labelled:
            said.append(f"A is right on {_share(self.right['A'], self.labelled)} with a label.")
        if versus and self.photos:
            said.append(f"A and B agree on {_share(self.agree, self.photos)}.")
        if versus and self.labelled:
            said.append(f"B is right on {_share(self.right['B'], self.labelled)} with a label.")
            said.append(f"Only A is right on {self.only['A']}, only B on {self.only['B']}.")
        return said


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} photos ({100 * part / whole:.1f} %)"
