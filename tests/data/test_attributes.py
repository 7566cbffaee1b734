"""Differences of two classes in words, against what draws them and what people named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lafe.data.attributes import by_part, differences
from lafe.data.partbirds import CLASSES, differing


def test_of_drawn_birds_all_that_differs_is_said() -> None:
    a, b = CLASSES[0], CLASSES[1]
    said = differences("partbirds", a.name, b.name)
    assert [line.partition(":")[0] for line in said] == list(differing(a, b))
    part = differing(a, b)[0]
    assert said[0] == f"{part}: {a.parts[part]} (not: {b.parts[part]})"
    assert differences("partbirds", a.name, "Crow") == []


@pytest.mark.parametrize("names", ["attributes/attributes.txt", "../attributes.txt"])
def test_of_real_birds_what_most_people_named(tmp_path: Path, names: str) -> None:
    """The official archive has the names beside the folder, copies have them in it."""
    folder = tmp_path / "CUB_200_2011"
    (folder / "attributes").mkdir(parents=True)
    (folder / "classes.txt").write_text("1 001.Fish_Crow\n2 002.Cardinal\n")
    (folder / names).write_text(
        "1 has_bill_shape::cone\n2 has_crown_color::black\n3 has_crown_color::red\n"
    )
    shares = [[10, 90, 5], [20, 12, 80], [0, 0, 0]]
    file = folder / "attributes" / "class_attribute_labels_continuous.txt"
    np.savetxt(file, shares)
    assert differences("cub", "Fish Crow", "Cardinal", tmp_path) == [
        "crown color black: named by 90 % of people, of the other by 12 %",
        "crown color red: named by 5 % of people, of the other by 80 %",
    ]
    assert differences("cub", "Fish Crow", "Gull", tmp_path) == []
    assert by_part("cub", "Fish Crow", "Cardinal", tmp_path) == {"crown": "black against red"}
    assert by_part("cub", "Fish Crow", "Cardinal") == {}
    file.unlink()
    assert differences("cub", "Fish Crow", "Cardinal", tmp_path) == []
    assert differences("cub", "Fish Crow", "Cardinal") == []
    assert differences("cars", "a", "b", tmp_path) == []
