"""Tables in Markdown, and the parts of a page that `lafe results` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lafe.errors import LafeError


class ResultsError(LafeError):
    """Figures that cannot be written; the message says what to do."""


def markers(part: str) -> tuple[str, str]:
    """The lines that stand before and after a part of a page."""
    return f"<!-- {part}: written by `lafe results` -->", f"<!-- end of {part} -->"


def between_markers(text: str, written: str, part: str = "figures", page: str = "README.md") -> str:
    """A page's text with a part written anew.

    Raises:
        ResultsError: the page has lost the part's markers.
    """
    first, last = markers(part)
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ResultsError(f"{page} needs the lines {first!r} and {last!r} around its {part}.")
    return f"{before}{begin}\n{written}{end}{after}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; each cell is a text."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
