"""The answer: a coarser group is named where the class is not sure and the group is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import tiny_model
from visiting import app, picture, said, upload

from lafe.checkpoints import store

pytestmark = pytest.mark.usefixtures("only_these")

NAMES = ["Audi S4", "Audi TT", "BMW X3", "Fiat 500"]


@pytest.fixture
def folder(tmp_path: Path, logits: list[float]) -> Path:
    """A model that says the same of every photo."""
    model = tiny_model(classes=len(NAMES))
    model.classifier.weight.data.zero_()
    for i, logit in enumerate(logits):
        model.classifier.bias.data[i] = logit
    store.save(model, tmp_path / "cars", NAMES, data={"name": "cars"})
    return tmp_path


@pytest.mark.parametrize("logits", [[5.0, 4.9, 0.0, 0.0]])
def test_of_two_of_one_make_the_make_is_surer() -> None:
    """(e^5 + e^4.9) of e^5 + e^4.9 + 1 + 1."""
    assert "The make is surer: Audi, 99.3%." in said(upload(app(), ("car.png", picture())))


@pytest.mark.parametrize("logits", [[9.0, 0.0, 0.0, 0.0], [5.0, 1.0, 4.9, 0.0]])
def test_of_a_sure_class_or_of_two_makes_no_level_is_said() -> None:
    assert "is surer" not in said(upload(app(), ("car.png", picture())))
