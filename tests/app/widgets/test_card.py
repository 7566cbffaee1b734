"""What the app says of a checkpoint, and of a setting's answer."""

from pathlib import Path

import pytest
import torch
from tiny import CLASSES, tiny_model

import lafe
from app.widgets.card import doubts
from lafe.branches import Switches
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    """Trained with everything on or everything off."""
    drawn = 1 | 1 << 4095
    training = {"settings": f"{drawn:01024x}"}
    names = [f"c{i}" for i in range(CLASSES)]
    return lafe.load(save(tiny_model(), tmp_path / "tiny", names, training=training))


def test_a_setting_that_training_never_drew_is_marked(model: Trained) -> None:
    model.temperatures = torch.ones(4096)
    assert doubts(model, Switches.all()) == doubts(model, Switches.none()) == ""
    assert "never drew" in doubts(model, Switches.all().without("c_con"))


def test_probabilities_that_are_not_calibrated_are_marked(model: Trained) -> None:
    assert doubts(model, Switches.all()) == (
        "Probabilities are not calibrated: run `lafe evaluate` on this model."
    )


def test_nothing_is_said_of_a_training_that_does_not_say_what_it_drew(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(CLASSES)]
    model = lafe.load(save(tiny_model(), tmp_path / "tiny", names))
    assert "drew" not in doubts(model, Switches.none().toggled(5, "r_dis"))
