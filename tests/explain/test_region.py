"""A painted region's share, place by place, and the picture without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import SIZE, photos, tiny_model

import lafe
from lafe import Prepared, Switches
from lafe.data.preprocess import Preprocess
from lafe.explain.attribution.baselines import baseline
from lafe.explain.region import of_places, packed, seen, unpacked

GRID = SIZE // 32


@pytest.fixture(scope="module")
def photo() -> Prepared:
    return lafe.prepare(tiny_model(), photos(1))


def test_whole_places_have_their_evidence_and_no_more(photo: Prepared) -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[32:96, :32] = True  # the first place of the second and of the third row
    found = lafe.region(photo, mask, target=2, versus=4)
    F5 = photo.fused(Switches.all()).F5[0]
    w = (photo.model.classifier.weight[2] - photo.model.classifier.weight[4]).detach()
    by_hand = float(w @ (F5[:, 1, 0] + F5[:, 2, 0])) / GRID**2
    assert found.inside == pytest.approx(by_hand, abs=1e-5)
    logits = photo.logits(Switches.all())
    whole = found.inside + found.outside + found.bias
    assert whole == pytest.approx(float(logits[2] - logits[4]), abs=1e-5)
    assert found.coverage == pytest.approx(2 / 9)
    assert found.share == pytest.approx(found.inside / (found.inside + found.outside))


def test_a_part_of_a_place_counts_for_that_part(photo: Prepared) -> None:
    whole, quarter = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    whole[:32, 32:64] = 1
    quarter[:16, 32:48] = 1
    a, b = (lafe.region(photo, mask, target=1) for mask in (whole, quarter))
    assert b.inside == pytest.approx(a.inside / 4, abs=1e-6)


def test_regions_that_share_the_photo_share_its_evidence(photo: Prepared) -> None:
    mask = np.random.default_rng(0).random((24, 24)) > 0.6
    a, b = lafe.region(photo, mask, target=1), lafe.region(photo, ~mask, target=1)
    assert a.inside == pytest.approx(b.outside, abs=1e-6)
    assert a.coverage + b.coverage == pytest.approx(1)


@pytest.mark.parametrize("against", ["blur", "mean"])
def test_the_region_is_blanked_in_the_picture_and_nothing_else(
    photo: Prepared, against: str
) -> None:
    mask = np.zeros((12, 12), bool)
    mask[3:6, 4:12] = True
    found = lafe.region(photo, mask, against=against)
    x = photo.x.clone()
    x[..., 24:48, 32:96] = baseline(photo.x, against)[..., 24:48, 32:96]
    assert torch.equal(found.blanked.x, x)
    with torch.no_grad():
        torch.testing.assert_close(found.blanked.logits(Switches.all()), photo.model(x)[0])


def test_a_mask_of_another_size_covers_the_same_part(photo: Prepared) -> None:
    small = np.zeros((3, 3), bool)
    small[0, 2] = True
    large = np.kron(small, np.ones((200, 200), bool))
    a, b = lafe.region(photo, small), lafe.region(photo, large)
    assert a.inside == pytest.approx(b.inside)
    assert torch.equal(a.blanked.x, b.blanked.x)


def test_a_mask_of_the_photo_is_cropped_to_what_the_model_sees() -> None:
    mask = np.arange(80)[:, None] * 100 + np.arange(160)[None]
    part = seen(mask, Preprocess(40, 32, (0.5,) * 3, (0.5,) * 3))
    assert part.shape == (64, 128)
    assert part[0, 0] == 8 * 100 + 16


def test_nothing_painted_is_said(photo: Prepared) -> None:
    with pytest.raises(lafe.LafeError, match="Nothing is painted"):
        lafe.region(photo, np.zeros((5, 5)))
    with pytest.raises(lafe.LafeError, match="rows and columns"):
        lafe.region(photo, np.ones((5, 5, 3)))
    with pytest.raises(ValueError, match="no baseline"):
        lafe.region(photo, np.ones((5, 5)), against="black")


@pytest.mark.parametrize("side", [8, 10])
def test_bits_are_cells_row_by_row(side: int) -> None:
    mask = np.zeros((side, side), bool)
    mask[0, 1] = mask[3, side - 1] = True
    text = "".join("01"[int(on)] for on in mask.flatten())
    bits = int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
    assert packed(mask, side) == bits
    assert (unpacked(bits, side) == mask).all()
    with pytest.raises(lafe.LafeError, match="no mask of"):
        unpacked(bits + b"x", side)


def test_places_are_painted_whole() -> None:
    mask = unpacked(packed(of_places([(0, 2), (1, 0)], 3), 96), 96)
    assert mask[:32, 64:].all()
    assert mask[32:64, :32].all()
    assert mask.sum() == 2 * 32 * 32
