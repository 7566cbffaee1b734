"""Linear probing: the optimum of a convex loss, and a classifier that starts there."""

from __future__ import annotations

import pytest
import torch
from tiny import photos, tiny_model
from torch.nn import functional as F

from lafe.train import probe
from lafe.train.probe import linear_classifier, probe_first
from lafe.train.recipe import Recipe


def test_the_classifier_is_at_the_optimum_of_the_standardised_loss() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=g) * torch.tensor([1.0, 10, 0.1, 3, 1]) + 7
    y = torch.arange(60) % 3
    x[:, 0] += 0.7 * y
    decay = 0.05
    weight, bias = linear_classifier(x, y, 3, decay)
    std, mean = x.std(0), x.mean(0)
    w = (weight * std).double().requires_grad_()
    b = (bias + weight @ mean).double().requires_grad_()
    z = ((x - mean) / std).double()
    loss = F.cross_entropy(z @ w.T + b, y) + decay * w.square().sum()
    loss.backward()
    assert w.grad is not None
    assert b.grad is not None
    assert float(w.grad.abs().max()) < 2e-3
    assert float(b.grad.abs().max()) < 2e-3
    assert torch.allclose(x @ weight.T + bias, (z @ w.T + b).float(), atol=1e-3)


def test_the_classifier_starts_fitted_and_nothing_else_moves() -> None:
    model = tiny_model(attention=False).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x = (photos(10) * 50 + 128).clamp(0, 255).byte()
    labels = [0, 1, 2, 3, 4] * 2

    def transform(batch: torch.Tensor) -> torch.Tensor:
        return (batch.float() - 128) / 50

    probe_first(model, x, labels, transform)
    assert model.training
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert torch.equal(model.eval()(transform(x)).argmax(1), torch.tensor(labels))


def test_the_branches_start_small() -> None:
    training = pytest.importorskip("lafe.train.module", reason="Training needs the extra 'train'.")
    recipe = Recipe(
        "tiny", "folder", "test_resnet", 64, 64, epochs=1, lr=0.01, weights=None, branch_gain=0.3
    )
    model = training.TrainingModule(recipe, 3).model
    for attribute in model.sides.values():
        assert torch.all(attribute.fusions["5"].bn.weight == 0.3)
        assert torch.all(attribute.fusions["4"].bn.weight == 1)


@pytest.mark.parametrize("probe", [False, True])
def test_a_probed_classifier_is_no_new_layer(probe: bool) -> None:
    training = pytest.importorskip("lafe.train.module", reason="Training needs the extra 'train'.")
    recipe = Recipe(
        "tiny", "folder", "test_resnet", 64, 64, epochs=1, lr=0.01, new_lr=5.0, weights=None,
        probe=probe,
    )  # fmt: skip
    module = training.TrainingModule(recipe, 3)
    old, new, gates = module.configure_optimizers()["optimizer"].param_groups
    assert (old["lr"], new["lr"], gates["lr"]) == (0.01, 0.05, 0.05)
    classifier = module.model.classifier.weight
    assert any(p is classifier for p in old["params"]) == probe
    assert any(p is classifier for p in new["params"]) != probe
    total = sum(p.numel() for p in module.parameters())
    assert sum(p.numel() for group in (old, new, gates) for p in group["params"]) == total


def test_a_classifier_is_the_same_if_logits_are_not_all_there_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    g = torch.Generator().manual_seed(0)
    y = torch.arange(50) % 3
    x = torch.randn(50, 4, generator=g) + y[:, None]
    weight, bias = linear_classifier(x, y, 3)
    monkeypatch.setattr(probe, "NUMBERS", 3 * 7)  # seven photos at a time, and one at the end
    again = linear_classifier(x, y, 3)
    assert torch.allclose(again[0], weight, atol=1e-3)
    assert torch.allclose(again[1], bias, atol=1e-3)
