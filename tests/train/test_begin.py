"""The start of D and C as gated f_5."""

from __future__ import annotations

import pytest
import torch

from lafe.branches import Switches
from lafe.train.begin import begin_as_stage5
from tests.tiny import photos, tiny_model

ONLY_5 = Switches.all().without("r_dis", "c_dis", "r_con", "c_con", stages=(3, 4))


@pytest.mark.parametrize("side", ["dis", "con"])
def test_a_side_begins_as_its_stage_5_times_the_gain(side: str) -> None:
    model = tiny_model().train()
    features = model.backbone(photos(8))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    begin_as_stage5(model, [side], 0.3, [features])
    D, C = model.attributes(features, ONLY_5)
    found = {"dis": D, "con": C}[side]
    assert found is not None
    gates = model.gates(features)
    gated = sum(g * features[-1] for b, g in gates.items() if b.stage == 5 and b.side == side)
    assert torch.allclose(found, 0.3 * gated, atol=1e-3)
    other = {"dis": "confusable", "con": "discriminative"}[side]
    for key, value in model.state_dict().items():
        if key.startswith((other, "classifier", "backbone")) and "running" not in key:
            assert "num_batches" in key or torch.equal(value, before[key]), key


def test_the_statistics_are_those_of_all_batches() -> None:
    """Two halves give what the whole gives, where no gate's own batch norm tells them apart."""
    features = tiny_model().train().backbone(photos(8))
    found = []
    for parts in ([features], [tuple(m[:4] for m in features), tuple(m[4:] for m in features)]):
        model = tiny_model().train()
        begin_as_stage5(model, ["dis"], 1.0, parts)
        state = model.state_dict()
        bn = "discriminative.fusions.5.bn"
        found.append(torch.stack([state[f"{bn}.weight"], state[f"{bn}.bias"]]))
    assert torch.allclose(found[0], found[1], atol=1e-5)
