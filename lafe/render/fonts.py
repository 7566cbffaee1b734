"""Fonts for names in any script: matplotlib's own, else one that is installed."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontEntry, fontManager, get_font

OWN = "DejaVu Sans"


def family_for(text: str) -> str | None:
    """The family of fonts that has a text's letters beside those that `OWN` has.

    Returns:
        `OWN` if it has them all, else the first installed family, by name, that has the rest, else
        None.
    """
    own = _letters(next(f.fname for f in fontManager.ttflist if f.name == OWN and _is_plain(f)))
    missing = frozenset(map(ord, text)) - own
    if not missing:
        return OWN
    return _family_with(missing, len(fontManager.ttflist))


@lru_cache(maxsize=256)
def _family_with(letters: frozenset[int], _fonts: int) -> str | None:
    """The count of fonts is for the cache: another one may have been added."""
    for font in sorted(fontManager.ttflist, key=lambda f: (f.name, f.fname)):
        if _is_plain(font) and letters <= _letters(font.fname):
            return font.name
    return None


def _is_plain(font: FontEntry) -> bool:
    return font.style == "normal" and font.weight in (400, "normal", "regular", "book")


@lru_cache(maxsize=1024)
def _letters(file: str) -> frozenset[int]:
    """The characters that a font has; none for one that cannot be read, as fonts of pictures."""
    try:
        return frozenset(get_font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
