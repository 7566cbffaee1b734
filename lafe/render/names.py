"""Names of classes as people spell them, where a data set's folders could not."""

from __future__ import annotations

import re

# CUB-200-2011 names its folders without hyphens and without the 's of a person's bird.
_POSSESSIVE = (
    "Anna", "Baird", "Bewick", "Brandt", "Brewer", "Clark", "Forster", "Harris", "Heermann",
    "Henslow", "Le Conte", "Lincoln", "Nelson", "Scott", "Swainson", "Wilson",
)  # fmt: skip
_BIRDS = (
    "Hummingbird", "Sparrow", "Wren", "Cormorant", "Blackbird", "Nutcracker", "Tern", "Gull",
    "Oriole", "Warbler", "Sharp tailed Sparrow",
)  # fmt: skip
_WORDS = (
    "backed", "bellied", "billed", "breasted", "capped", "cheeked", "chinned", "cockaded",
    "collared", "colored", "crowned", "eared", "eyed", "faced", "footed", "headed",
    "legged", "necked", "rumped", "sided", "tailed", "throated", "toed", "winged",
)  # fmt: skip
_WHOLE = {
    "Chuck will Widow": "Chuck-will\N{RIGHT SINGLE QUOTATION MARK}s-widow",
    "Gray crowned Rosy Finch": "Gray-crowned Rosy-Finch",
    "Whip poor Will": "Whip-poor-will",
    "Black and white Warbler": "Black-and-white Warbler",
    "Forsters Tern": "Forster\N{RIGHT SINGLE QUOTATION MARK}s Tern",
}

_HYPHEN = re.compile(rf"\b([A-Za-z]+) ({'|'.join(_WORDS)})\b")
_OWNER = re.compile(rf"^({'|'.join(_POSSESSIVE)}) (?=({'|'.join(_BIRDS)})$)")


def spelled(name: str) -> str:
    """A class's name in real spelling: ``Brandt Cormorant`` -> ``Brandt's Cormorant``.

    Names that are spelled already, as those of cars and aircraft, stay as they are.
    """
    if name in _WHOLE:
        return _WHOLE[name]
    return _HYPHEN.sub(r"\1-\2", _OWNER.sub("\\1\N{RIGHT SINGLE QUOTATION MARK}s ", name))
