"""A record holds the maps of the equations; threads, copies and exceptions leave it right."""

from __future__ import annotations

import threading
from collections.abc import Callable

import paper
import pytest
import torch
from tiny import SIZE, VARIANTS, named, photos, some_settings, tiny_model
from torch import Tensor, nn

import lafe
from lafe import BRANCHES, LAFE, STAGES, Switches
from lafe.model.record import _CURRENT, Record


def is_of(r: Record, x: Tensor, model: LAFE, s: Switches) -> bool:
    """Whether the record is that of this photo under this setting."""
    with torch.no_grad():
        features = model.backbone(x)
        D, C = model.attributes(features, s)
    zeros = torch.zeros_like(features[-1])
    D, C = (zeros if m is None else m for m in (D, C))
    off = [key for key in ((i, b) for i in STAGES for b in BRANCHES) if not s[key]]
    return (
        all(torch.equal(a, b) for a, b in zip(r.features, features, strict=True))
        and torch.equal(r.D, D)
        and torch.equal(r.C, C)
        and not any(r[key].map.any() or r[key].gate.any() for key in off)
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_map_is_that_of_the_equations(variant: str, x: Tensor) -> None:
    model = tiny_model(**VARIANTS[variant]).double()
    x = x.double()
    c = model.config
    options = {"region": c["region"], "fusion": c["fusion"], "outer": c["region_gate"]}
    for s in (Switches.all(), *some_settings(5), Switches.none()):
        with lafe.record(model) as r:
            logits = model(x, s)
        f = r.features
        assert torch.equal(f[-1], model.backbone(x)[-1])
        fused = {}
        for side, name in (("discriminative", "dis"), ("confusable", "con")):
            fused[name], maps = torch.zeros_like(f[-1]), {}
            if c["attention"]:
                weights = paper.under(model.state_dict(), f"{side}.")
                fused[name], maps = paper.attribute(weights, f, named(s), name, **options)
            for stage, f_i in zip(STAGES, f, strict=True):
                zeros = torch.zeros_like(f_i)
                assert torch.allclose(getattr(r[stage], name), maps.get(stage, zeros))
                for kind in "rc":
                    branch = r[stage, f"{kind}_{name}"]
                    assert torch.allclose(branch.map, maps.get((stage, f"{kind}_{name}"), zeros))
                    assert torch.allclose(branch.gate * f_i, branch.map)
        assert torch.allclose(r.D, fused["dis"])
        assert torch.allclose(r.C, fused["con"])
        assert torch.allclose(r.F5, f[-1] + r.D - r.C)
        assert torch.allclose(logits, paper.logits(model.state_dict(), r.F5))


@pytest.mark.parametrize("setting", ["all", "none"])
def test_shapes(model: LAFE, x: Tensor, setting: str) -> None:
    with lafe.record(model) as r:
        model(x, Switches.parse(setting))
    for stage, channels, f in zip(STAGES, (48, 192, 96), r.features, strict=True):
        side = SIZE // 2**stage
        shape = (2, channels, side, side)
        assert f.shape == r[stage].dis.shape == r[stage].con.shape == shape
        for branch in BRANCHES:
            gate = (2, 1, side, side) if branch.startswith("r") else (2, channels, 1, 1)
            assert r[stage, branch].map.shape == shape
            assert r[stage, branch].gate.shape == gate
    assert r.D.shape == r.C.shape == r.F5.shape == r.features[-1].shape


def test_a_second_pass_replaces_the_first(model: LAFE, x: Tensor) -> None:
    first, second = Switches.only("r_dis", "c_con"), Switches.only("c_dis", stages=(4,))
    with lafe.record(model) as r:
        model(x, first)
        assert is_of(r, x, model, first)
        other = photos(3, seed=5)
        model(other, second)
        assert is_of(r, other, model, second)
    assert is_of(r, other, model, second)  # and it stays when the record is closed
    model(x)
    assert is_of(r, other, model, second)


def test_parts_of_a_pass_are_not_shown(model: LAFE, x: Tensor) -> None:
    s = Switches.only("c_dis")
    with lafe.record(model) as r:
        with pytest.raises(RuntimeError, match="Nothing was recorded"):
            _ = r.features
        model.head(model.features(x))
        with pytest.raises(RuntimeError, match="Nothing was recorded"):
            _ = r[5, "r_dis"]
        model(x, s)
        other = photos(1, seed=5)
        model.head(model.features(other))
        lafe.prepare(model, other)
        assert is_of(r, x, model, s)


def test_unknown_names_are_refused(model: LAFE, x: Tensor) -> None:
    with lafe.record(model) as r:
        model(x)
    with pytest.raises(ValueError, match="no branch 'x_dis'"):
        r[5, "x_dis"]
    for key in (6, (6, "r_dis")):
        with pytest.raises(ValueError, match="no stage 6"):
            r[key]  # type: ignore[call-overload]


def test_gradients_reach_every_map(model: LAFE, x: Tensor) -> None:
    with lafe.record(model) as r:
        logits = model(x)
    maps = [r[i, b].map for i in STAGES for b in BRANCHES]
    gates = [r[i, b].gate for i in STAGES for b in BRANCHES]
    sums = [m for i in STAGES for m in (r[i].dis, r[i].con)]
    wanted = [*r.features, *maps, *gates, *sums]
    for g, value in zip(torch.autograd.grad(logits[:, 0].sum(), wanted, retain_graph=True), wanted,
                        strict=True):  # fmt: skip
        assert g.shape == value.shape
        assert g.any()
    # Behind the fusion everything is linear: the gradients are the classifier's weights.
    to_D, to_C, to_F5 = torch.autograd.grad(logits[:, 2].sum(), (r.D, r.C, r.F5), retain_graph=True)
    expected = (model.classifier.weight[2] / 9)[None, :, None, None].expand_as(to_D)
    assert torch.allclose(to_F5, expected)
    assert torch.allclose(to_D, expected)
    assert torch.allclose(to_C, -expected)


def test_a_gradient_can_be_retained(model: LAFE, x: Tensor) -> None:
    with lafe.record(model) as r:
        logits = model(x)
    kept = [r[5].dis, r.D, r[3, "r_con"].gate]
    expected = torch.autograd.grad(logits.sum(), kept, retain_graph=True)
    for value in kept:
        value.retain_grad()
    logits.sum().backward()
    model.zero_grad(set_to_none=True)
    for value, g in zip(kept, expected, strict=True):
        assert value.grad is not None
        assert torch.equal(value.grad, g)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_without_gradients(model: LAFE, x: Tensor, mode: type) -> None:
    s = Switches.only("r_dis")
    with mode(), lafe.record(model) as r:
        model(x, s)
    assert is_of(r, x, model, s)
    assert not r.D.requires_grad


def hooks_of(model: LAFE) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_nothing_stays_behind_after_an_exception(model: LAFE, x: Tensor) -> None:
    before = hooks_of(model)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def passes() -> None:
        with lafe.record(model) as r:
            seen.append(r)
            model(x)
            handle = model.sides["con"].register_forward_hook(fail)
            try:
                model(photos(1), Switches.only("r_dis"))
            finally:
                handle.remove()

    seen: list[Record] = []
    with pytest.raises(ZeroDivisionError):
        passes()
    outer = seen[0]
    assert _CURRENT.get() == ()
    assert hooks_of(model) == before
    assert is_of(outer, x, model, Switches.all())  # the last whole pass
    with lafe.record(model) as r:
        model(x, Switches.none())
    assert is_of(r, x, model, Switches.none())
    assert is_of(outer, x, model, Switches.all())


def test_records_of_two_models_and_of_one_model_twice(model: LAFE, x: Tensor) -> None:
    other = tiny_model(seed=3)
    s = Switches.only("c_con")
    with lafe.record(model) as a, lafe.record(other) as b, lafe.record(model) as c:
        model(x)
        other(x, s)
    assert is_of(a, x, model, Switches.all())
    assert is_of(b, x, other, s)
    assert is_of(c, x, model, Switches.all())


def test_threads_never_see_each_others_maps(model: LAFE) -> None:
    settings = [Switches.only("r_dis", "c_con"), Switches.only("c_dis", "r_con", stages=(3, 5))]
    inputs = [photos(1, seed) for seed in (1, 2)]
    expected = []
    for own, s in zip(inputs, settings, strict=True):
        with torch.no_grad(), lafe.record(model) as r:
            model(own, s)
        expected.append(r)
    start = threading.Barrier(2)
    wrong: list[str] = []

    def same(a: Record, b: Record) -> bool:
        pairs = [(a.D, b.D), (a.C, b.C), (a.F5, b.F5), *zip(a.features, b.features, strict=True)]
        pairs += [(a[i, n].map, b[i, n].map) for i in STAGES for n in BRANCHES]
        return all(torch.equal(p, q) for p, q in pairs)

    def visit(i: int) -> None:
        with torch.no_grad():
            for _ in range(40):
                start.wait(60)
                with lafe.record(model) as r:
                    model(inputs[i], settings[i])
                    if not same(r, expected[i]):
                        wrong.append(f"visitor {i} saw other maps")

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_thread_started_inside_a_record_is_not_recorded(model: LAFE, x: Tensor) -> None:
    with lafe.record(model) as r:
        model(x, Switches.none())
        thread = threading.Thread(target=model, args=(x,))
        thread.start()
        thread.join()
    assert is_of(r, x, model, Switches.none())


WRAPPED = {
    "parallel": nn.DataParallel,
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "both": lambda model: torch.compile(nn.DataParallel(model), backend="eager"),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_a_wrapped_model_is_recorded(x: Tensor, wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = tiny_model()
    outer = wrap(model)
    with torch.no_grad():
        outer(x)  # compiled, if it is, without a record
        with lafe.record(outer) as r:
            outer(x)
    assert is_of(r, x, model, Switches.all())


def test_a_pass_in_another_thread_is_not_recorded_and_it_is_said(model: LAFE, x: Tensor) -> None:
    with lafe.record(model) as r:
        thread = threading.Thread(target=model, args=(x,))
        thread.start()
        thread.join()
    with pytest.raises(RuntimeError, match="in its thread"):
        _ = r.D
