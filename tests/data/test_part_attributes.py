"""Attributes in words, from files as CUB has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lafe.data import DataError
from lafe.data.part_attributes import PARTS, read_attributes


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    home = tmp_path / "CUB_200_2011"
    (home / "attributes").mkdir(parents=True)
    (home / "classes.txt").write_text("1 001.Blue_Jay\n3 003.Fish_Crow\n")
    names = ["throat_color::black", "throat_color::blue", "wing_color::grey", "wing_color::white"]
    names += ["wing_pattern::solid", "wing_pattern::multi-colored"]
    (home / "attributes" / "attributes.txt").write_text(
        "".join(f"{i} has_{name}\n" for i, name in enumerate(names, 1))
    )
    (home / "attributes" / "class_attribute_labels_continuous.txt").write_text(
        "10 80 60 40 55 45\n0 0 0 0 0 0\n90 5 70 30 0 100\n"
    )
    return tmp_path


def test_what_tells_a_part_of_two_birds_apart(cub: Path) -> None:
    found = read_attributes(cub)
    assert found.contrast("throat", "Fish Crow", "blue_jay") == "black against blue"
    # The wings' colour is grey in both; their pattern is not.
    assert found.contrast("wing", "Blue Jay", "Fish Crow") == "solid against multi-colored"
    assert found.contrast("tail", "Blue Jay", "Fish Crow") is None
    assert found.contrast("throat", "Blue Jay", "Ostrich") is None


def test_files_that_do_not_fit_are_refused(cub: Path) -> None:
    file = cub / "CUB_200_2011" / "attributes" / "class_attribute_labels_continuous.txt"
    file.write_text("1 2 3\n")
    with pytest.raises(DataError, match="does not fit"):
        read_attributes(cub)
    file.write_text("one two\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_attributes(cub)


def test_real_attributes_are_of_every_part(shared_data: Path) -> None:
    found = read_attributes(shared_data)
    assert {group for groups in PARTS.values() for group in groups} <= set(found.groups)
    assert found.seen.shape == (200, 312)
    said = found.contrast("throat", "Brandt Cormorant", "Laysan Albatross")
    assert said is not None
    assert said.startswith("black against")
