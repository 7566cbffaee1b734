"""Attributions against Captum's direct calls, brute force, autograd by hand and LAFE's evidence."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from tiny import SIZE, VARIANTS, photos, tiny_model
from torch import Tensor, nn

import lafe
from lafe import LAFE, Controls, Switches
from lafe.branches import BRANCHES, STAGES
from lafe.explain.attribution.baselines import BASELINES, baseline
from lafe.explain.attribution.methods import METHODS, attribute, available
from lafe.explain.attribution.registry import AttributionError
from lafe.explain.attribution.superpixels import superpixels

PARTLY = Switches.parse("r_dis35.c_dis345.c_con45")


@pytest.fixture(scope="module")
def model() -> LAFE:
    return tiny_model()


@pytest.fixture(scope="module")
def photo(model: LAFE, x: Tensor) -> lafe.Prepared:
    return lafe.prepare(model, x)


def score(model: LAFE, x: Tensor, on: Switches = PARTLY) -> Tensor:
    """Class 1 rather than 3."""
    logits = model(x, on)
    return logits[:, 1] - logits[:, 3]


def explain(photo: lafe.Prepared, method: str, **options: object) -> lafe.Attribution:
    return attribute(photo, method=method, target=1, switches=PARTLY, versus=3, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("on", [Switches.all(), PARTLY], ids=str)
def test_grad_cam_is_captums(model: LAFE, x: Tensor, photo: lafe.Prepared, on: Switches) -> None:
    def captums(layer: nn.Module) -> list[Tensor]:
        other = LayerGradCam(lambda x: score(model, x, on), layer).attribute(x)
        return [a.detach()[0, 0] for a in (other if isinstance(other, tuple) else (other,))]

    own = copy.deepcopy(model)  # Captum hooks it
    model = own
    for stage, truth in zip(STAGES, captums(own.backbone), strict=True):
        found = attribute(photo, method=f"grad-cam-f{stage}", target=1, switches=on, versus=3)
        np.testing.assert_allclose(found.map, truth, rtol=1e-4, atol=1e-6)
        assert found.map.std() > 0
    for branch in on:
        (truth,) = captums(own.sides[branch.side].branches[branch])
        found = attribute(photo, method=f"grad-cam-{branch}", target=1, switches=on, versus=3)
        np.testing.assert_allclose(found.map, truth, rtol=1e-4, atol=1e-6)


def test_evidence_is_grad_cam_where_all_behind_is_linear(photo: lafe.Prepared) -> None:
    own = copy.deepcopy(photo.model)
    layers = {"evidence": own.final}
    layers |= {f"evidence-{side}": module for side, module in own.sides.items()}
    for name, layer in layers.items():
        truth = LayerGradCam(lambda x: score(own, x), layer).attribute(photo.x)
        np.testing.assert_allclose(explain(photo, name).map, truth[0, 0].detach(), atol=1e-5)
    none = {"target": 1, "switches": Switches.none(), "versus": 3}
    for name in ("evidence", "evidence-backbone"):
        np.testing.assert_allclose(
            attribute(photo, method="grad-cam-f5", **none).map,  # type: ignore[arg-type]
            attribute(photo, method=name, **none).map,  # type: ignore[arg-type]
            atol=1e-5,
        )


def test_all_evidence_adds_up_to_the_logit(photo: lafe.Prepared) -> None:
    found = explain(photo, "evidence")
    e = lafe.evidence(photo, target=1, switches=PARTLY, versus=3)
    with torch.no_grad():
        logit = float(score(photo.model, photo.x))
    assert found.change == pytest.approx(logit - e.bias, abs=1e-5)
    assert found.gap == pytest.approx(0, abs=1e-4)


def test_maps_are_those_of_a_recorded_pass(photo: lafe.Prepared) -> None:
    with lafe.record(photo.model) as r, torch.no_grad():
        photo.model(photo.x, PARTLY)
    truths = {"D": r.D, "C": r.C, "F5": r.F5}
    truths |= {str(branch): r[branch].map for branch in PARTLY}
    for name, truth in truths.items():
        np.testing.assert_allclose(explain(photo, name).map, truth[0].mean(0), atol=1e-6)


def test_integrated_gradients_are_captums_and_complete(photo: lafe.Prepared) -> None:
    start = baseline(photo.x, "blur")
    truth = IntegratedGradients(lambda x: score(photo.model, x)).attribute(
        photo.x, start, n_steps=7
    )
    found = explain(photo, "integrated-gradients", against="blur", steps=7)
    np.testing.assert_allclose(found.map, truth[0].sum(0).detach(), atol=1e-4)
    with torch.no_grad():
        change = float(score(photo.model, photo.x) - score(photo.model, start))
    assert found.change == pytest.approx(change, abs=1e-4)
    gaps = [
        abs(explain(photo, "integrated-gradients", against="blur", steps=n).gap or 0)
        for n in (2, 64)
    ]
    assert gaps[1] < gaps[0] / 10


def test_gradient_shap_is_the_mean_over_paths(photo: lafe.Prepared) -> None:
    total, points = torch.zeros_like(photo.x), 20
    for kind, i in product(BASELINES, range(points)):
        start = baseline(photo.x, kind)
        at = (start + (i + 0.5) / points * (photo.x - start)).requires_grad_()
        (gradient,) = torch.autograd.grad(score(photo.model, at).sum(), at)
        total += gradient * (photo.x - start) / points / len(BASELINES)
    truth = total[0].sum(0).numpy()
    found = explain(photo, "gradient-shap", steps=120).map
    # Each path has other random points, so they agree as samples do.
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.95
    assert found.sum() == pytest.approx(truth.sum(), abs=0.1 * float(np.abs(truth).sum()))


def test_gradient_shap_draws_by_its_seed_alone(photo: lafe.Prepared) -> None:
    np.random.seed(5)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    first = explain(photo, "gradient-shap", steps=6)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.random.get_rng_state(), before[1])
    np.random.seed(7)
    assert np.array_equal(explain(photo, "gradient-shap", steps=6).map, first.map)
    assert not np.array_equal(explain(photo, "gradient-shap", steps=6, seed=1).map, first.map)


def test_occlusion_is_brute_force(photo: lafe.Prepared) -> None:
    size, stride = 24, 12  # SIZE // (7 + 1) = 12
    plain = baseline(photo.x, "blur")
    drop, times = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    with torch.no_grad():
        whole = float(score(photo.model, photo.x))
        for top, left in product(range(0, SIZE - size + 1, stride), repeat=2):
            place = np.s_[top : top + size, left : left + size]
            covered = photo.x.clone()
            covered[:, :, *place] = plain[:, :, *place]
            drop[place] += whole - float(score(photo.model, covered))
            times[place] += 1
    found = explain(photo, "occlusion", against="blur", steps=7)
    np.testing.assert_allclose(found.map, drop / times, atol=1e-4)
    assert found.gap is None


def test_ablation_of_superpixels_is_brute_force(photo: lafe.Prepared) -> None:
    patches = superpixels(photo.x, 9)
    drop = np.zeros((SIZE, SIZE))
    with torch.no_grad():
        whole = float(score(photo.model, photo.x))
        for i in range(int(patches.max()) + 1):
            ablated = torch.where(patches == i, baseline(photo.x, "mean"), photo.x)
            drop[patches == i] = whole - float(score(photo.model, ablated))
    found = explain(photo, "superpixels", steps=9)
    np.testing.assert_allclose(found.map, drop, atol=1e-4)


def test_superpixels_keep_to_edges() -> None:
    x = torch.zeros(1, 3, 60, 60)
    x[..., 25:] = 3  # the edge lies inside of the grid's middle column
    patches = superpixels(x, 9)
    assert set(patches[:, :25].unique().tolist()).isdisjoint(patches[:, 25:].unique().tolist())
    flat = superpixels(torch.zeros(1, 3, 60, 60), 10)  # nothing but place counts
    assert sorted(flat.unique(return_counts=True)[1].tolist()) == [400] * 9


def test_the_mean_colour_is_the_photos_own() -> None:
    x = photos(2)
    for i, channel in product(range(2), range(3)):
        plain = baseline(x, "mean")[i, channel]
        torch.testing.assert_close(plain, x[i, channel].mean().expand(SIZE, SIZE))
    with pytest.raises(ValueError, match="blur, mean"):
        baseline(x, "black")


def test_blur_is_a_gaussian_of_the_stated_width() -> None:
    x = torch.zeros(1, 3, 224, 224)
    x[..., 112, 112] = 1
    row = baseline(x, "blur")[0, 0, 112]
    variance = ((torch.arange(224) - 112) ** 2 * row).sum() / row.sum()
    assert float(variance) == pytest.approx(10**2, rel=0.05)  # cut at three sigmas


class GuidedReLU(nn.Module):
    """ReLU whose gradient passes only where it is positive (Springenberg et al., 2015)."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y.register_hook(lambda gradient: gradient.clamp(min=0))
        return y.clamp(min=0)


def test_guided_grad_cam_is_done_by_hand(photo: lafe.Prepared) -> None:
    own = copy.deepcopy(photo.model)
    for name, module in list(own.named_modules()):
        if isinstance(module, nn.ReLU):
            parent, _, child = name.rpartition(".")
            setattr(own.get_submodule(parent), child, GuidedReLU())
    at = photo.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(own, at).sum(), at)
    cam = torch.from_numpy(explain(photo, "evidence").map.copy())[None, None].clamp(min=0)
    cam = nn.functional.interpolate(cam, (SIZE, SIZE), mode="bilinear")
    truth = (gradient * cam).sum((0, 1))
    assert truth.std() > 0
    found = explain(photo, "guided-grad-cam").map
    np.testing.assert_allclose(found, truth, atol=1e-4 * float(truth.abs().max()))


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "test_efficientnet"])
def test_guided_methods_are_left_out_where_they_would_run_unguided(backbone: str) -> None:
    reason = available(LAFE(backbone, 3, 64).eval())["guided-grad-cam"]
    assert reason is not None
    assert {"tf_efficientnet_lite0": "ReLU6", "test_efficientnet": "SiLU"}[backbone] in reason


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "sigmoid"])
def test_what_is_available_works_and_the_rest_is_refused(variant: str, x: Tensor) -> None:
    photo = lafe.prepare(tiny_model(**VARIANTS[variant]), x)
    for on in (Switches.all(), Switches.parse("r_dis3.c_dis5")):
        left_out = available(photo.model, on)
        assert list(left_out) == list(METHODS)
        for name, reason in left_out.items():
            if reason is None:
                found = attribute(
                    photo,
                    method=name,
                    target=0,
                    switches=on,
                    steps=2 if METHODS[name].slow else None,
                )
                assert found.map.dtype == np.float32
                assert found.map.ndim == 2
                assert np.isfinite(found.map).all()
                assert found.signed or found.map.min() >= 0
            else:
                with pytest.raises(AttributionError, match="left out"):
                    attribute(photo, method=name, target=0, switches=on)


def test_what_is_off_or_missing_is_left_out_with_the_reason() -> None:
    every = available(tiny_model())
    assert set(every.values()) == {None}
    off = available(tiny_model(), Switches.all().without("r_con", "c_con").without("r_dis"))
    for name in ("C", "evidence-con"):
        assert off[name] == "every confusable branch is switched off."
    assert off["grad-cam-r_dis4"] == off["r_dis4"] == "r_dis4 is switched off."
    assert off["D"] is off["evidence-dis"] is off["grad-cam-c_dis4"] is None
    plain = available(tiny_model(attention=False))
    assert plain["D"] == "this model has no discriminative branch."
    assert {n for n, reason in plain.items() if reason} == {
        *("D", "C", "evidence-dis", "evidence-con"),
        *(f"{g}{b}{s}" for g in ("", "grad-cam-") for b in BRANCHES for s in STAGES),
    }
    unfused = available(tiny_model(fusion=False), Switches.all().without(*BRANCHES, stages=(5,)))
    assert unfused["C"] == "every confusable branch is switched off."
    assert unfused["r_con4"] == "this model has no r_con4."


def test_stand_ins_are_obeyed_or_the_method_is_left_out(photo: lafe.Prepared) -> None:
    controls = Controls(shuffled=Switches.only("c_dis"))
    for name in ("evidence-dis", "D", "c_dis5"):
        found = explain(photo.under(controls), name)
        assert not np.array_equal(found.map, explain(photo, name).map)
    for name in ("grad-cam-f5", "occlusion"):
        with pytest.raises(AttributionError, match="stand-ins"):
            explain(photo.under(controls), name)


def test_the_predicted_class_is_the_default(photo: lafe.Prepared) -> None:
    with torch.no_grad():
        best = int(photo.model(photo.x).argmax())
    for name in ("evidence", "grad-cam-f4"):
        found = attribute(photo, method=name)
        assert np.array_equal(found.map, attribute(photo, method=name, target=best).map)


def test_bad_input_is_refused_in_a_sentence(photo: lafe.Prepared) -> None:
    with pytest.raises(AttributionError, match="choose one of evidence"):
        attribute(photo, method="lime")
    with pytest.raises(ValueError, match="no class"):
        attribute(photo, method="occlusion", target=9)
    with pytest.raises(ValueError, match="no baseline"):
        attribute(photo, method="occlusion", against="black")
    with pytest.raises(ValueError, match="one step"):
        attribute(photo, method="occlusion", steps=0)


def test_a_map_cannot_be_written_to(photo: lafe.Prepared) -> None:
    for name in ("evidence", "D", "grad-cam-f5"):
        with pytest.raises(ValueError, match="read-only"):
            explain(photo, name).map[0, 0] = 1


SLOW = [name for name, method in METHODS.items() if method.slow]


@pytest.mark.parametrize("name", [n for n in SLOW if METHODS[n].steps])
def test_progress_reaches_the_end_and_can_stop_the_work(photo: lafe.Prepared, name: str) -> None:
    told: list[float] = []
    explain(photo, name, steps=5, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 1
    assert told[0] < 1

    class StoppedError(Exception):
        pass

    def stop(done: float) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        explain(photo, name, steps=5, progress=stop)


def hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, kind)) for m in model.modules() for kind in kinds)


def test_a_shared_model_is_never_changed(photo: lafe.Prepared) -> None:
    model, x = photo.model, photo.x.clone()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    before = hooks(model)

    def check(done: float) -> None:  # in the middle of the work, too
        assert hooks(model) == before

    for name in METHODS:
        if available(model, PARTLY)[name] is None:
            explain(photo, name, steps=2, progress=check)
    assert hooks(model) == before
    assert not any(m.training for m in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.equal(photo.x, x)
    assert not photo.x.requires_grad


def test_threads_that_share_a_model_get_their_own_maps(model: LAFE) -> None:
    prepared = [lafe.prepare(model, x[None]) for x in photos(3)]
    names = ["grad-cam-c_con4", "evidence", "occlusion", "gradient-shap", "guided-grad-cam"]
    jobs = list(product(prepared, names))

    def work(job: tuple[lafe.Prepared, str]) -> np.ndarray:
        return explain(*job, steps=2).map

    truth = [work(job) for job in jobs]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(work, jobs))
    for a, b in zip(found, truth, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_threads_that_draw_at_once_draw_as_if_alone(photo: lafe.Prepared) -> None:
    def work(seed: int) -> np.ndarray:
        return explain(photo, "gradient-shap", steps=4, seed=seed).map

    truth = [work(seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(work, range(40)))
    for a, b in zip(found, truth, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_any_grad_mode_of_the_caller_will_do(model: LAFE, photo: lafe.Prepared) -> None:
    truth = {
        n: attribute(photo, method=n, target=1, steps=2).map
        for n in ("grad-cam-f5", *SLOW, "evidence")
    }
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            for name, expected in truth.items():
                found = attribute(lafe.prepare(model, photos(1)), method=name, target=1, steps=2)
                np.testing.assert_allclose(found.map, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, "autocast"], ids=str)
def test_maps_in_half_precision_are_those_of_full_precision(
    photo: lafe.Prepared, dtype: torch.dtype | str
) -> None:
    auto = dtype == "autocast"
    model = photo.model if auto else copy.deepcopy(photo.model).to(dtype)  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16, enabled=auto):
        half = lafe.prepare(model, photo.x)
        for name in METHODS:
            if available(photo.model)[name] is None:
                steps = {"steps": 4} if METHODS[name].steps else {}
                truth = attribute(photo, method=name, target=1, **steps).map.flatten()  # type: ignore[arg-type]
                found = attribute(half, method=name, target=1, **steps).map.flatten()  # type: ignore[arg-type]
                assert np.corrcoef(found, truth)[0, 1] > 0.97, name
                assert found.std() == pytest.approx(truth.std(), rel=0.1), name
