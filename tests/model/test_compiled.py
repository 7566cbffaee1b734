"""Compiled copies give what the model gives."""

from __future__ import annotations

import pytest
import torch
from tiny import CLASSES, SIZE, random_norms, tiny_model

import lafe
from lafe import LAFE


def test_models_of_two_sizes_are_compiled_beside_each_other() -> None:
    sizes = []

    def backend(graph: torch.fx.GraphModule, inputs: list[object]) -> object:
        sizes.append([i for i in inputs if not isinstance(i, torch.Tensor)])
        return graph.forward

    for size in (SIZE, 2 * SIZE):
        model = random_norms(LAFE("test_resnet", CLASSES, size))
        lafe.prepare(lafe.compiled(model, backend=backend), torch.randn(1, 3, size, size))
    assert sizes == [[], []]  # no size is an unknown of a graph


def test_a_compiled_copy_agrees_with_its_model_and_leaves_it_alone() -> None:
    model, x = tiny_model(), torch.randn(1, 3, SIZE, SIZE)
    calls = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        calls.append(graph)
        return graph.forward

    fast = lafe.compiled(model, backend=backend)
    photo, same = lafe.prepare(model, x), lafe.prepare(fast, x)
    assert len(calls) == 1  # the backbone
    for switches in (lafe.Switches.all(), lafe.Switches.all().without("r_dis", "c_con")):
        expected, found = (lafe.evidence(p, target=1, switches=switches) for p in (photo, same))
        for part in ("backbone", "dis", "con"):
            torch.testing.assert_close(getattr(found, part), getattr(expected, part))
        assert found.logit == pytest.approx(expected.logit, abs=1e-5)
    assert len(calls) == 1 + 2 * 2  # both sides, each setting of their branches
    assert torch.equal(model(x)[0], photo.logits(lafe.Switches.all()))  # is not compiled itself
    assert len(calls) == 5
