"""The deepest sure level, from probabilities that are added up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import photos, tiny_model

import lafe
from lafe import Prepared, Switches
from lafe.checkpoints.store import save

CLASSES = ["Airbus A318", "Airbus A319", "Airbus A330", "Boeing 747", "de Havilland Mosquito"]
LEVELS = {"family": ("A320", "A320", "Airbus A330", "Boeing 747", "Mosquito")} | {
    "manufacturer": ("Airbus", "Airbus", "Airbus", "Boeing", "de Havilland")
}


@pytest.fixture
def photo(tmp_path: Path) -> Prepared:
    """Whose probabilities are 0.45, 0.3, 0.2, 0.04, 0.01, up to the half precision of the file."""
    model = tiny_model()
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.45, 0.3, 0.2, 0.04, 0.01]).log())
    loaded = lafe.load(save(model, tmp_path / "tiny", CLASSES))
    return lafe.prepare(loaded, photos(1))


@pytest.mark.parametrize(
    ("sure", "expected"),
    [(0.74, ("family", "A320")), (0.76, ("manufacturer", "Airbus")), (0.96, None)],
)
def test_the_deepest_level_whose_likeliest_group_is_sure(
    photo: Prepared, sure: float, expected: tuple[str, str] | None
) -> None:
    found = lafe.depth(photo, sure=sure, levels=LEVELS)
    deepest = found.deepest
    assert (deepest and (deepest.level, deepest.name)) == expected
    shares = [(each.level, each.name, round(each.probability, 3)) for each in found.levels]
    assert shares == [
        ("class", "Airbus A318", 0.45),
        ("family", "A320", 0.75),
        ("manufacturer", "Airbus", 0.95),
    ]
    assert not found.calibrated


def test_the_likeliest_group_need_not_hold_the_likeliest_class(photo: Prepared) -> None:
    split = {"half": ("a", "b", "b", "b", "b")}
    assert lafe.depth(photo, levels=split).levels[1].name == "b"


def test_what_is_missing_is_said(photo: Prepared) -> None:
    with pytest.raises(lafe.LafeError, match="give `levels`"):
        lafe.depth(photo)
    with pytest.raises(lafe.LafeError, match="'family' needs one group for each of 5"):
        lafe.depth(photo, levels={"family": ("a",)})
    with pytest.raises(lafe.LafeError, match=r"above 0\.5"):
        lafe.depth(photo, sure=0.5, levels=LEVELS)
    with pytest.raises(lafe.LafeError, match="no card"):
        lafe.depth(lafe.prepare(tiny_model(), photos(1)), levels=LEVELS)


def test_only_among_some_classes(photo: Prepared) -> None:
    p = photo.probabilities(Switches.all(), among=[1, 3])
    assert p.tolist() == pytest.approx([0, 0.3 / 0.34, 0, 0.04 / 0.34, 0], abs=1e-3)
    with pytest.raises(ValueError, match="one class or more"):
        photo.probabilities(Switches.all(), among=[])
    with pytest.raises(ValueError, match="0 to 4"):
        photo.probabilities(Switches.all(), among=[5])
