"""The measure of attention against forward passes whose gates are replaced by hooks."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

import lafe
from lafe.branches import EVERY_BRANCH, PRESETS, Switches
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset, load_benchmark
from lafe.measure import attention as measured
from lafe.measure.bootstrap import Interval
from lafe.measure.outputs import Gates, Outputs, run
from lafe.measure.provenance import Provenance
from lafe.measure.report import Attention, GateFigures, StandIn
from lafe.model.attention import ChannelGate, RegionGate
from tests.tiny import tiny_model

SOURCE = Provenance("a test", "2026-01-01")
NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoDataset:
    """25 pictures that differ in where they are bright and in colour."""
    root = tmp_path_factory.mktemp("photos")
    g = np.random.default_rng(0)
    for name in NAMES:
        (root / name).mkdir()
        for i in range(25):
            small = Image.fromarray(g.integers(0, 255, (5, 5, 3), dtype=np.uint8))
            small.resize((96, 96)).save(root / name / f"{i}.png")
    return load_benchmark("folder", root, "test")


def checkpoint(folder: Path, photos: PhotoDataset, gain: float) -> Trained:
    """A model whose gates follow the photo the more, the larger the gain; at 0 not at all."""
    model = tiny_model()
    for gate in (m for m in model.modules() if isinstance(m, (RegionGate, ChannelGate))):
        gate.standardise(gain)
        assert gate.standard is not None
        gate.standard.train().momentum = 1.0  # its statistics are those of the next batch
    trained = lafe.load(save(tiny_model(), folder, NAMES))
    x = inputs(trained, photos)
    with torch.no_grad(), lafe.record(model) as r:
        model(x)
        # Every class is as likely as any other, so that little changes a prediction.
        model.classifier.bias.copy_(-model.classifier.weight @ r.F5.mean((0, 2, 3)))
    return lafe.load(save(model.eval(), folder, NAMES))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, photos: PhotoDataset) -> Trained:
    return checkpoint(tmp_path_factory.mktemp("checkpoints") / "live", photos, 4.0)


@contextmanager
def replaced(model: Trained, gates: Gates) -> Iterator[None]:
    """The model, with these gates."""
    with ExitStack() as stack:
        for branch, gate in gates.items():
            gated = model.sides[branch.side].branches[branch]
            handle = gated.gate.register_forward_hook(lambda *_, gate=gate: gate)
            stack.callback(handle.remove)
        yield


def inputs(model: Trained, photos: PhotoDataset) -> Tensor:
    return torch.cat([model.preprocess(photos.photo(i)) for i in range(len(photos))])


def by_its_own_predictions(model: Trained, photos: PhotoDataset) -> PhotoDataset:
    """The photos, labelled so that the model is right about most of them."""
    with torch.no_grad():
        labels = model(inputs(model, photos)).argmax(1).tolist()
    labels[::7] = [(label + 1) % len(NAMES) for label in labels[::7]]
    return replace(photos, labels=labels)


def measure(model: Trained, photos: PhotoDataset) -> tuple[Attention, Outputs]:
    # Any other photos will do for means, and any temperatures.
    temperatures = torch.linspace(0.5, 2, 4096)
    test = run(model, photos, PRESETS, temperatures, keep_gates=True)
    means = run(model, photos.subset(range(0, len(photos), 2))).mean_gates
    return measured.attention(model, photos, test, means, SOURCE)[0], test


def test_stand_ins_are_what_the_model_gives_with_replaced_gates(
    live: Trained, photos: PhotoDataset
) -> None:
    photos = by_its_own_predictions(live, photos)
    found, _ = measure(live, photos)
    x, y, count = inputs(live, photos), torch.tensor(photos.labels), len(photos)

    with torch.no_grad(), lafe.record(live) as r:
        full = live(x).argmax(1)
    own = {branch: r[branch].gate for branch in EVERY_BRANCH}
    assert found.top1 == pytest.approx(float((full == y).float().mean()))
    assert found.photos == count

    def predictions(gates: Gates) -> Tensor:
        with torch.no_grad(), replaced(live, gates):
            return live(x).argmax(1)

    def check(name: str, draws: list[Gates]) -> None:
        given = [predictions(gates) for gates in draws]
        right = torch.stack([(p == y).float() for p in given]).mean(0)
        changed = torch.stack([(p != full).float() for p in given]).mean()
        stand_in = found.stand_ins[name]
        assert stand_in.top1 == pytest.approx(float(right.mean()), abs=1e-6), name
        assert stand_in.changed == pytest.approx(float(changed), abs=1e-6), name
        cost = float((full == y).float().mean() - right.mean())
        assert stand_in.cost.mean == pytest.approx(cost, abs=1e-6), name
        assert stand_in.cost.low <= stand_in.cost.mean <= stand_in.cost.high
        assert stand_in.draws == len(draws)

    half = {key: gate[::2].mean(0, keepdim=True).expand_as(gate) for key, gate in own.items()}
    check("mean", [half])
    check("uniform", [{k: g.mean((1, 2, 3), True).expand_as(g) for k, g in own.items()}])
    drawn = measured.other_photos(count, seed=0)
    plain, scaled = [], []
    for order in drawn:
        plain.append({key: gate[order] for key, gate in own.items()})
        scaled.append({})
        for key, gate in own.items():
            rows = []
            for mine, other in zip(gate, gate[order], strict=True):
                shut = float(other.mean()) == 0
                rows.append(
                    mine.mean().expand_as(mine) if shut else other * mine.mean() / other.mean()
                )
            scaled[-1][key] = torch.stack(rows)
    check("other photo", plain)
    check("other photo, rescaled", scaled)
    for kind, name in (("r", "other region gates"), ("c", "other channel gates")):
        only = [{k: g for k, g in gates.items() if k.kind == kind} for gates in scaled[:2]]
        check(name, only)
    assert found.stand_ins["other photo, rescaled"].changed > 0.1  # or nothing was tested

    for branch in EVERY_BRANCH:
        with torch.no_grad():
            given = live(x, Switches.all().without(branch)).argmax(1)
        off = found.off[str(branch)]
        assert off.top1 == pytest.approx(float((given == y).float().mean()))
        assert off.changed == pytest.approx(float((given != full).float().mean()))
    for name, on in PRESETS.items():
        if name != "full":
            with torch.no_grad():
                given = live(x, on).argmax(1)
            assert found.off[name].top1 == pytest.approx(float((given == y).float().mean()))
            assert found.off[name].changed == pytest.approx(float((given != full).float().mean()))


def test_maps_and_margins_are_those_of_a_recorded_pass(live: Trained, photos: PhotoDataset) -> None:
    found, _ = measure(live, photos)
    x = inputs(live, photos)
    with torch.no_grad(), lafe.record(live) as r:
        live(x)

    def ranks(a: Tensor, b: Tensor) -> float:
        flat = [m.mean(1).flatten(1).numpy() for m in (a, b)]
        each = [spearmanr(p, q).statistic for p, q in zip(*flat, strict=True)]
        return float(np.nanmean(each))

    expected = {"D - C": (r.D, r.C), "D - f5": (r.D, r.features[2]), "C - f5": (r.C, r.features[2])}
    for stage in (3, 4, 5):
        for side in ("dis", "con"):
            maps = (r[stage, f"r_{side}"].map, r[stage, f"c_{side}"].map)
            expected[f"r_{side}{stage} - c_{side}{stage}"] = maps
    assert found.maps.keys() == expected.keys()
    for name, (a, b) in expected.items():
        spearman = found.maps[name].spearman
        assert spearman is not None
        assert spearman.mean == pytest.approx(ranks(a, b), abs=2e-3), name

    W, y = live.classifier.weight.detach(), torch.tensor(photos.labels)
    D, C, f5 = (m.mean((2, 3)) @ W.T for m in (r.D, r.C, r.features[2]))
    plain = f5 + live.classifier.bias.detach()
    margins = []
    for i, label in enumerate(y.tolist()):
        rival = max((k for k in range(5) if k != label), key=lambda k: float(plain[i, k]))
        margins.append((float(D[i, label] - D[i, rival]), float(C[i, rival] - C[i, label])))
    for side, expected_margin in zip("DC", np.mean(margins, 0), strict=True):
        assert getattr(found.margins, side).mean == pytest.approx(float(expected_margin), rel=1e-3)


def test_the_gain_in_likelihood_is_that_of_tempered_logits(
    live: Trained, photos: PhotoDataset
) -> None:
    found, test = measure(live, photos)
    y, t = test.labels, found.likelihood
    assert t is not None
    assert (t.plain_temperature, t.full_temperature) == (0.5, 2.0)
    x = inputs(live, photos)
    with torch.no_grad():
        loss = [
            torch.nn.functional.cross_entropy(live(x, on) / temperature, y)
            for on, temperature in ((Switches.none(), 0.5), (Switches.all(), 2.0))
        ]
    assert t.gain.mean == pytest.approx(float(loss[0] - loss[1]), abs=1e-5)


def test_dead_gates_and_live_ones_get_their_verdicts(
    live: Trained, photos: PhotoDataset, tmp_path: Path
) -> None:
    dead = checkpoint(tmp_path / "dead", photos, 0.0)
    found, _ = measure(dead, by_its_own_predictions(dead, photos))
    assert found.verdict == "These gates are constants: read the maps as the backbone's."
    assert {s.changed for s in found.stand_ins.values() if s != found.stand_ins["uniform"]} == {0.0}
    assert all(gate.photo_share < 1e-6 for gate in found.gates.values())

    found, _ = measure(live, by_its_own_predictions(live, photos))
    changed = 100 * found.stand_ins["other photo, rescaled"].changed
    assert f" weight decides {changed:.0f} % of predictions" in found.verdict


def test_a_verdict_follows_the_numbers() -> None:
    moving = {"r_dis5": GateFigures(mean=0.5, deviation=0.6, photo_share=0.7)}
    still = {"r_dis5": GateFigures(mean=0.5, deviation=0.01, photo_share=0.1)}

    def said(
        changed: float,
        low: float,
        gates: Mapping[str, GateFigures],
        region: float = 0.5,
        channel: float = 0.5,
    ) -> str:
        cost = Interval(low + 0.02, low, low + 0.04)
        swaps = {"other photo, rescaled": changed}
        swaps |= {"other region gates": region, "other channel gates": channel}
        return measured.verdict(
            {name: StandIn(0.5, c, cost, 5) for name, c in swaps.items()}, gates
        )

    assert said(0.384, 0.01, moving) == (
        "Which places and channels these branches weight decides 38 % of predictions "
        "(places alone 50 %, channels alone 50 %)."
    )
    assert said(0.16, 0.01, moving, region=0.003) == (
        "Which channels these branches weight decides 16 % of predictions; which places, 0 %."
    )
    assert said(0.16, 0.01, moving, channel=0.01).startswith("Which places these branches weight")
    assert "do not show that it makes more of them right" in said(0.384, -0.01, moving)
    assert "decides only 5 % of predictions" in said(0.05, 0.01, moving)
    assert said(0.004, 0.0, still).startswith("These gates are constants")
    assert said(0.004, 0.0, moving).startswith("These gates follow the photo, but decide only 0 %")


def test_gate_figures_by_hand() -> None:
    # Two photos of two places: one place varies over photos, the other does not.
    gates = torch.tensor([[1.0, 4.0], [3.0, 4.0]]).view(2, 1, 1, 2)
    found = measured.gate_figures(gates)
    assert found.mean == pytest.approx(3.0)
    assert found.deviation == pytest.approx((1 + 0) / 2 / 3)
    assert found.photo_share == pytest.approx(0.5 / (0.5 + 1.0))  # places: 2 and 4
    total = gates.var(correction=0)  # the two parts add up
    assert float(total) == pytest.approx(1.5)
    shut = measured.gate_figures(torch.zeros(2, 1, 1, 2))
    assert shut == GateFigures(mean=0.0, deviation=0.0, photo_share=0.0)


def test_another_photo_is_drawn_over_all_of_them() -> None:
    drawn = measured.other_photos(200, seed=0)
    assert len(drawn) == 5
    for other in drawn:
        assert sorted(other.tolist()) == list(range(200))
        assert not (other == torch.arange(200)).any()
        # In label order a neighbour is of the same class: drawn, as often as any other photo.
        distance = (other - torch.arange(200)).abs().float().mean()
        assert 50 < float(distance) < 85  # 67 on average
    assert len({tuple(other.tolist()) for other in drawn}) == 5
