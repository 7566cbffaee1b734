"""The whole model against the equations, its variants, and the tools that it must work with."""

from __future__ import annotations

import copy
import importlib.util
import io
import pickle
import sys
import threading
from typing import Any

import paper
import pytest
import torch
from tiny import CLASSES, SIZE, VARIANTS, named, photos, single_settings, some_settings, tiny_model
from torch import Tensor, nn

import lafe
from lafe import LAFE, PRESETS, Switches


def expected_logits(model: LAFE, features: tuple[Tensor, ...], on: set[tuple[int, str]]) -> Tensor:
    """Eq. 1-10 of a model in float64."""
    w = model.state_dict()
    c = model.config
    F5 = features[-1]
    if c["attention"]:
        options = {"region": c["region"], "fusion": c["fusion"], "outer": c["region_gate"]}
        D, _ = paper.attribute(paper.under(w, "discriminative."), features, on, "dis", **options)
        C, _ = paper.attribute(paper.under(w, "confusable."), features, on, "con", **options)
        F5 = F5 + D - C  # Eq. 3
    return paper.logits(w, F5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_the_papers_equations(variant: str, x: Tensor) -> None:
    model = tiny_model(**VARIANTS[variant]).double()
    x = x.double()
    features = model.backbone(x)
    assert torch.allclose(model(x), expected_logits(model, features, named(Switches.all())))
    for s in (*PRESETS.values(), *some_settings(6)):
        assert torch.allclose(model(x, s), expected_logits(model, features, named(s)), atol=1e-9)
    assert model(x).shape == (2, CLASSES)


def test_every_branch_counts(model: LAFE, x: Tensor) -> None:
    """Each branch alone, and each alone missing, gives logits of its own."""
    settings = [Switches.all(), Switches.none(), *single_settings()]
    logits = torch.stack([model(x, s) for s in settings]).flatten(1)
    distances = torch.cdist(logits, logits) + 10 * torch.eye(len(logits))
    assert distances.min() > 1e-4


def test_all_off_is_the_plain_backbone_with_the_same_classifier(model: LAFE, x: Tensor) -> None:
    plain = tiny_model(attention=False)
    own = model.state_dict()
    plain.load_state_dict({k: own[k] for k in plain.state_dict()})
    assert torch.equal(plain(x), model(x, Switches.none()))
    for s in some_settings(3):
        assert torch.equal(plain(x, s), plain(x))


def test_without_fusion_stages_3_and_4_do_nothing(x: Tensor) -> None:
    model = tiny_model(fusion=False)
    for s in (Switches.all(), *some_settings(6)):
        assert torch.equal(model(x, s), model(x, s.without(*lafe.BRANCHES, stages=(3, 4))))
    assert not torch.equal(model(x), model(x, Switches.none()))


def test_without_region_attention_its_switches_do_nothing(x: Tensor) -> None:
    model = tiny_model(region=False)
    for s in (Switches.all(), Switches.only("r_dis", "r_con"), *some_settings(6)):
        assert torch.equal(model(x, s), model(x, s.without("r_dis", "r_con")))


@pytest.mark.parametrize(
    ("variant", "branches", "fusions"),
    [("lafe", 12, 4), ("no region attention", 6, 4), ("no feature fusion", 4, 0),
     ("plain backbone", 0, 0)],
)  # fmt: skip
def test_a_variant_has_no_weights_that_it_does_not_use(
    variant: str, branches: int, fusions: int
) -> None:
    model = tiny_model(**VARIANTS[variant])
    names = [type(m).__name__ for m in model.modules()]
    assert (names.count("Gated"), names.count("Fusion")) == (branches, fusions)
    model.train()(photos(4)).sum().backward()
    used = {n for n, p in model.named_parameters() if p.grad is not None}
    # Of the plain backbone, what lies behind its last tap is cut off too.
    assert used == {n for n, _ in model.named_parameters()}


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_the_papers_sizes(name: str) -> None:
    """448 px: 56 x 56 x 512, 28 x 28 x 1024, 14 x 14 x 2048 (the paper prints 7 x 7)."""
    with torch.device("meta"):
        features = [torch.empty(1, c, s, s) for c, s in ((512, 56), (1024, 28), (2048, 14))]
    model = LAFE(name, num_classes=200, input_size=448).to("meta").eval()
    assert model.backbone.channels == (512, 1024, 2048)
    D, C = model.attributes(features)
    assert D is not None
    assert C is not None
    assert D.shape == C.shape == (1, 2048, 14, 14)
    assert model(torch.empty(2, 3, 448, 448, device="meta")).shape == (2, 200)


def test_other_sizes_are_refused(model: LAFE) -> None:
    with pytest.raises(ValueError, match="96 x 96 px, not 64 x 96"):
        model(torch.zeros(1, 3, 64, 96))
    for size in (0, 100, -32):
        with pytest.raises(ValueError, match=f"multiple of 32 px, not {size}"):
            LAFE("test_resnet", 2, size)
    with pytest.raises(ValueError, match="'relu' or 'sigmoid', not 'tanh'"):
        LAFE("test_resnet", 2, 64, region_gate="tanh")


def snapshot(model: LAFE) -> tuple[dict[str, Tensor], list[Any]]:
    """Every number of a model, and everything else that a forward pass could leave in it."""
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    rest = [
        (
            name,
            m.training,
            set(vars(m)),
            [len(v) for k, v in vars(m).items() if k.endswith("hooks")],
        )
        for name, m in model.named_modules()
    ]
    return weights, [*rest, dict(model.config), [p.grad is None for p in model.parameters()]]


def test_a_forward_pass_changes_nothing_in_the_model(model: LAFE, x: Tensor) -> None:
    weights, rest = snapshot(model)
    first = model(x)
    for s in some_settings(4):
        model(x, s)
        with lafe.record(model) as r:
            model(x, s)
            assert r.F5 is not None
    after, rest_after = snapshot(model)
    assert all(torch.equal(after[k], v) for k, v in weights.items())
    assert rest_after == rest
    assert torch.equal(model(x), first)


def test_all_on_is_the_default(model: LAFE, x: Tensor) -> None:
    assert torch.equal(model(x), model(x, Switches.all()))
    assert torch.equal(model(x), model(x, switches=PRESETS["full"]))


def test_threads_share_a_model(model: LAFE) -> None:
    settings = some_settings(4)
    inputs = [photos(1, seed) for seed in range(4)]
    with torch.no_grad():
        expected = [model(x, s) for x, s in zip(inputs, settings, strict=True)]
    wrong: list[int] = []

    def visit(i: int) -> None:
        with torch.no_grad():
            for _ in range(20):
                if not torch.equal(model(inputs[i], settings[i]), expected[i]):
                    wrong.append(i)

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles_are_models_of_their_own(model: LAFE, x: Tensor, copier: Any) -> None:
    twin = copier(model)
    assert torch.equal(twin(x), model(x))
    with lafe.record(twin) as r:
        twin(x)
    assert torch.equal(r.F5, twin.final(r.features[-1], r.D, r.C))
    with lafe.record(model) as r:
        twin(x)
    with pytest.raises(RuntimeError, match="Nothing was recorded"):
        _ = r.D


# Captum, and exporters


def test_integrated_gradients_add_up(model: LAFE, x: Tensor) -> None:
    from captum.attr import IntegratedGradients

    maps, delta = IntegratedGradients(model).attribute(
        x[:1], target=3, n_steps=32, internal_batch_size=8, return_convergence_delta=True
    )
    assert maps.shape == x[:1].shape
    with torch.no_grad():
        change = (model(x[:1]) - model(torch.zeros_like(x[:1])))[0, 3]
    assert float(maps.sum()) == pytest.approx(float(change), abs=0.05 * float(maps.abs().sum()))
    assert abs(float(delta)) < 0.05 * float(maps.abs().sum())
    s = Switches.parse("no confusable")
    under_s = IntegratedGradients(model).attribute(
        x[:1], target=3, n_steps=4, additional_forward_args=(s,)
    )
    assert not torch.allclose(under_s, maps)


def test_grad_cam_on_the_final_features_is_the_classifier_on_them(model: LAFE, x: Tensor) -> None:
    """After F_5 everything is linear, so Grad-CAM's weights are the classifier's."""
    from captum.attr import LayerGradCam

    with lafe.record(model) as r:
        model(x)
    cam = LayerGradCam(model, model.final).attribute(x, target=2)
    expected = torch.einsum("c,bchw->bhw", model.classifier.weight[2], r.F5) / r.F5[0, 0].numel()
    assert torch.allclose(cam[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "layer", ["discriminative", "confusable.sums.4", "discriminative.region.5"]
)
def test_layer_activations_are_the_recorded_maps(model: LAFE, x: Tensor, layer: str) -> None:
    from captum.attr import LayerActivation

    with lafe.record(model) as r:
        model(x)
    recorded = {
        "discriminative": r.D, "confusable.sums.4": r[4].con,
        "discriminative.region.5": r[5, "r_dis"].map,
    }  # fmt: skip
    found = LayerActivation(model, model.get_submodule(layer)).attribute(x)
    assert torch.equal(found, recorded[layer])


class Switched(nn.Module):
    """A model under one setting, as an exporter wants it."""

    def __init__(self, model: LAFE, switches: Switches) -> None:
        super().__init__()
        self.model, self.switches = model, switches

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x, self.switches)


EXPORTED = ["all", "none"]


@pytest.mark.parametrize("setting", EXPORTED)
def test_torch_export(model: LAFE, x: Tensor, setting: str) -> None:
    s = Switches.parse(setting)
    program = torch.export.export(Switched(model, s).eval(), (x,))
    other = photos(2, seed=7)
    assert torch.allclose(program.module()(other), model(other, s), atol=1e-5)


@pytest.mark.parametrize("setting", EXPORTED)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit")
def test_torch_jit_trace(model: LAFE, x: Tensor, setting: str) -> None:
    s = Switches.parse(setting)
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(Switched(model, s).eval(), (x,)), file)
    file.seek(0)
    other = photos(2, seed=7)
    assert torch.allclose(torch.jit.load(file)(other), model(other, s), atol=1e-5)


@pytest.mark.skipif(
    not all(importlib.util.find_spec(m) for m in ("onnx", "onnxscript", "onnxruntime")),
    reason="ONNX is not installed.",
)
def test_onnx(model: LAFE, x: Tensor, tmp_path: Any) -> None:
    import onnxruntime

    torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=True)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert torch.allclose(torch.from_numpy(logits), model(x), atol=1e-4)


def test_the_package_needs_no_streamlit(model: LAFE) -> None:
    assert model.config["input_size"] == SIZE
    assert not any(
        getattr(m, "__name__", "").startswith("streamlit")
        for name in list(sys.modules)
        if name.startswith("lafe")
        for m in vars(sys.modules[name]).values()
    )
