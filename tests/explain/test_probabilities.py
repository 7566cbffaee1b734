"""Calibrated probabilities against the softmax of a model's own logits, divided by hand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import lafe
from lafe.branches import Switches
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.explain.ablation import factorial, shapley
from tests.tiny import CLASSES, photos, some_settings, tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    """With another temperature for each setting."""
    found = lafe.load(save(tiny_model(), tmp_path / "tiny", [f"c{i}" for i in range(CLASSES)]))
    found.temperatures = torch.rand(4096, generator=torch.Generator().manual_seed(0)) + 0.2
    return found


def by_hand(model: Trained, x: Tensor, switches: Switches) -> Tensor:
    assert model.temperatures is not None
    with torch.no_grad():
        return (model(x, switches)[0] / model.temperatures[switches.index]).softmax(0)


def test_each_setting_has_its_own_temperature(model: Trained) -> None:
    x = photos(1)
    photo = lafe.prepare(model, x)
    table = factorial(photo)
    assert photo.calibrated
    for switches in (*some_settings(8), Switches.all(), Switches.none()):
        expected = by_hand(model, x, switches)
        with torch.no_grad():
            raw = model(x, switches)[0].softmax(0)
        assert torch.allclose(photo.probabilities(switches), expected, atol=1e-5)
        assert torch.allclose(photo.fused(switches).probabilities, expected, atol=1e-5)
        assert torch.allclose(photo.probabilities(switches, calibrated=False), raw, atol=1e-5)
        for k in range(CLASSES):
            assert float(table.probabilities(k)[switches.index]) == pytest.approx(
                float(expected[k]), abs=1e-5
            )
            assert float(table.raw.values(k)[switches.index]) == pytest.approx(
                float(raw[k]), abs=1e-5
            )
        assert not torch.allclose(raw, expected, atol=1e-3)


def test_what_branches_are_worth_is_calibrated_and_logits_are_not(model: Trained) -> None:
    x = photos(1)
    table = factorial(lafe.prepare(model, x))
    every = torch.stack([by_hand(model, x, Switches.from_index(i))[2] for i in range(0, 4096, 63)])
    assert torch.allclose(table.values(2)[::63].float(), every, atol=1e-5)
    worth = table.shapley(2)
    assert torch.allclose(worth.flatten(), shapley(table.values(2)))
    assert not torch.allclose(worth, table.raw.shapley(2), atol=1e-3)
    for output in ("logit", "centred"):
        assert torch.equal(table.shapley(2, output), table.raw.shapley(2, output))
    frame = table.to_frame(2)
    assert torch.allclose(torch.tensor(frame["probability"]), table.values(2))
    assert torch.equal(torch.tensor(frame["prediction"]), table.raw.predictions())
    for flip in table.flips():
        found = by_hand(model, x, flip.switches)
        assert flip.probability == pytest.approx(float(found[flip.prediction]), abs=1e-5)


def test_without_temperatures_probabilities_are_raw(model: Trained) -> None:
    model.temperatures = None
    photo = lafe.prepare(model, photos(1))
    table = factorial(photo)
    assert not photo.calibrated
    for switches in some_settings(3):
        raw = photo.logits(switches).softmax(0)
        assert torch.equal(photo.probabilities(switches), raw)
        assert float(table.values(1)[switches.index]) == pytest.approx(float(raw[1]), abs=1e-5)
