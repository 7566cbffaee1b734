"""Names as people spell them."""

from __future__ import annotations

import pytest

from lafe.render.names import spelled


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Black footed Albatross", "Black-footed Albatross"),
        ("Brandt Cormorant", "Brandt\N{RIGHT SINGLE QUOTATION MARK}s Cormorant"),
        ("Brewer Blackbird", "Brewer\N{RIGHT SINGLE QUOTATION MARK}s Blackbird"),
        ("Chuck will Widow", "Chuck-will\N{RIGHT SINGLE QUOTATION MARK}s-widow"),
        ("Gray crowned Rosy Finch", "Gray-crowned Rosy-Finch"),
        ("Yellow billed Cuckoo", "Yellow-billed Cuckoo"),
        (
            "Nelson Sharp tailed Sparrow",
            "Nelson\N{RIGHT SINGLE QUOTATION MARK}s Sharp-tailed Sparrow",
        ),
        ("American Three toed Woodpecker", "American Three-toed Woodpecker"),
        ("Black throated Blue Warbler", "Black-throated Blue Warbler"),
        ("Le Conte Sparrow", "Le Conte\N{RIGHT SINGLE QUOTATION MARK}s Sparrow"),
        ("Black and white Warbler", "Black-and-white Warbler"),
        # What is spelled already stays.
        ("Laysan Albatross", "Laysan Albatross"),
        ("Great Crested Flycatcher", "Great Crested Flycatcher"),
        ("Winged seeds", "Winged seeds"),
        ("Acura TL Type-S 2008", "Acura TL Type-S 2008"),
        ("Red_Kite *x*", "Red_Kite *x*"),
    ],
)
def test_spelling(folder: str, name: str) -> None:
    assert spelled(folder) == name
