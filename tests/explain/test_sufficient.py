"""The smallest set of places, against every set of a small grid."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from tiny import CLASSES, SIZE, photos, tiny_model

import lafe
from lafe import LAFE, Prepared, Switches

GRID = SIZE // 32


def alone(photo: Prepared, places: tuple[int, ...]) -> torch.Tensor:
    """Logits of F_5 that is zero but at some places."""
    F5 = photo.fused(Switches.all()).F5
    kept = torch.zeros_like(F5).flatten(2)
    kept[..., list(places)] = F5.flatten(2)[..., list(places)]
    with torch.no_grad():
        return photo.model.classify(kept.view_as(F5))[0]


@pytest.fixture(scope="module")
def model() -> LAFE:
    """Whose biases speak against the class that photos are taken for."""
    model = tiny_model()
    with torch.no_grad():
        winners = [int(model(x[None]).argmax()) for x in photos(6)]
        for winner in set(winners):
            model.classifier.bias[winner] -= 0.1
    return model


def test_no_smaller_set_of_places_keeps_the_class_ahead(model: LAFE) -> None:
    sizes = set()
    for x in photos(6):
        photo = lafe.prepare(model, x[None])
        whole = photo.logits(Switches.all())
        target = int(whole.argmax())
        for versus in set(range(CLASSES)) - {target}:
            found = lafe.sufficient(photo, versus=versus)
            places = tuple(r * GRID + c for r, c in found.places)
            logits = alone(photo, places)
            assert (found.target, found.versus) == (target, versus)
            assert logits[target] > logits[versus]
            assert found.winner == int(logits.argmax())
            for i in range(len(places)):
                torch.testing.assert_close(
                    found.logits[i].float(), alone(photo, places[: i + 1]), atol=1e-5, rtol=0
                )
            sizes.add(len(places))
            if places:
                fewer = [
                    float((z := alone(photo, s))[target] - z[versus])
                    for s in combinations(range(GRID * GRID), len(places) - 1)
                ]
                assert max(fewer) == pytest.approx(found.one_fewer, abs=1e-5)
                assert max(fewer) <= 0
            else:
                assert found.one_fewer is None
    assert len(sizes) >= 3


def test_the_rival_is_the_strongest_other_class(model: LAFE) -> None:
    photo = lafe.prepare(model, photos(1))
    order = photo.logits(Switches.all()).argsort(descending=True).tolist()
    found = lafe.sufficient(photo)
    assert (found.target, found.versus) == (order[0], order[1])


def test_a_class_that_is_not_ahead_is_refused(model: LAFE) -> None:
    photo = lafe.prepare(model, photos(1))
    first, second, *_ = photo.logits(Switches.all()).argsort(descending=True).tolist()
    with pytest.raises(lafe.LafeError, match="ask the reverse"):
        lafe.sufficient(photo, target=second, versus=first)
    with pytest.raises(lafe.LafeError, match="ask the reverse"):
        lafe.sufficient(photo, target=first, versus=first)
