"""HTML for notebooks: tables whose every text is escaped, since cards may be strangers'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(caption: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table with a caption; texts are escaped, floats have four significant digits."""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    top = f"<thead><tr>{_cells('th', head)}</tr></thead>" if head else ""
    return f"<table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table>"


def _cells(tag: str, values: Iterable[object]) -> str:
    texts = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
