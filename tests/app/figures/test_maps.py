"""Scales of maps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import photos, tiny_model

from app.figures import maps
from app.figures.maps import Question
from app.state import models
from app.state.session import EVIDENCE, Panel, Photo
from lafe import PRESETS, Switches, prepare, record
from lafe.explain.prepare import Prepared

NAMES = ["a", "b", "c", "d"]


def test_one_scale_holds_all_maps_and_the_colours_belong_to_the_layer() -> None:
    low, high, minus = (
        maps.Layer("", np.full((2, 2), value, np.float32), "") for value in (1, 3, -5)
    )
    off = maps.Layer("", None, "")
    assert maps.scale([low, high, off]) == maps.Scale((1, 3), signed=False)
    assert maps.scale([low, replace(high, signed=True)]) == maps.Scale((-3, 3), signed=True)
    assert maps.scale([low, minus]) == maps.Scale((-5, 1), signed=False)  # whatever is in it
    assert maps.scale([off]) is None


def test_evidence_against_several_classes_adds_up_to_the_lead_over_their_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, x = tiny_model(), photos(1)
    classes = [str(label) for label in range(model.classifier.out_features)]
    ready = prepare(model, x)
    monkeypatch.setattr(Prepared, "card", SimpleNamespace(classes=classes))
    found = maps.evidence_layer(ready, Switches.all(), EVIDENCE, Question("1", ("0", "2")))
    with torch.no_grad():
        logits, bias = model(x)[0], model.classifier.bias
    lead = (logits - bias)[1] - (logits - bias)[[0, 2]].mean()
    assert found.heat is not None
    assert found.heat.sum() == pytest.approx(float(lead), abs=1e-5)
    assert found.ends == ("for 0 and 2", "for 1")
    assert Question("1", ("0", "2", "3")).rivals == "0, 2 and 3"
    assert Question("1", ("0",)).rivals == "0"
    assert Question("1").rivals == "the average class"


@pytest.mark.parametrize("switches", PRESETS.values(), ids=list(PRESETS))
def test_maps_are_those_of_a_recorded_forward_pass(
    switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = tiny_model(), photos(1)
    with torch.no_grad(), record(model) as r:
        model(x, switches)
    monkeypatch.setattr(models, "model", lambda name: model)
    monkeypatch.setattr(models, "under", lambda *_: prepare(model, x))
    photo, panel, asked = Photo("", Image.new("RGB", (8, 8))), Panel(switches), Question("")
    for key, expected in (("final", r.F5), ("dis", r.D), ("con", r.C)):
        heat = maps.layer(photo, "", panel, key, asked).heat
        if heat is None:
            assert not expected.any()
        else:
            np.testing.assert_allclose(heat, expected[0].mean(0), atol=1e-5)
