"""What ``lafe evaluate`` writes, against forward passes and figures worked out again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor
from torch.nn import functional as F
from worlds import HALF, SIZES, World

import lafe
from lafe.branches import PRESETS
from lafe.checkpoints.store import load_card, save
from lafe.data import PhotoDataset
from lafe.measure import evaluation, predictions, report as reports, tables
from lafe.measure.bootstrap import interval
from lafe.measure.evaluation import evaluate, recipe_differences
from lafe.measure.metrics import calibration_error
from lafe.measure.report import REPORT, Evaluation


@pytest.fixture(scope="module")
def found(world: World) -> Evaluation:
    found = evaluate(world.full, world.data, against=world.plain, branches=True).evaluation
    assert found is not None
    return found


def test_the_report_holds_what_is_returned(world: World, found: Evaluation) -> None:
    written = reports.read(world.full, load_card(world.full).sha256)
    assert written is not None
    assert written.evaluation == found
    assert written.attention is not None
    assert (found.split, found.photos, found.classes) == ("test", SIZES["test"], 3)


def test_accuracies_are_those_of_forward_passes_on_the_test_split(
    world: World, found: Evaluation
) -> None:
    labels = world.labels("test")
    for name, figures in found.presets.items():
        assert figures.top1 == pytest.approx(world.top1("test", name)), name
        highest = world.logits("test", name).topk(3, 1).indices
        assert figures.top5 == pytest.approx(
            float((highest == labels[:, None]).any(1).float().mean())
        )
        confidence, predicted = world.logits("test", name).softmax(1).max(1)
        gap = 0.0
        for low in range(15):
            here = ((confidence * 15).long().clamp(max=14)) == low
            if here.any():
                right = (predicted[here] == labels[here]).float().mean()
                gap += float(here.sum()) * abs(float(right - confidence[here].mean()))
        assert figures.ece == pytest.approx(gap / len(labels), abs=1e-5)
    right = (world.logits("test").argmax(1) == labels).double().numpy()
    assert found.top1_interval == interval(right)


def test_every_count_adds_up_to_the_test_photos(world: World, found: Evaluation) -> None:
    wrong = round((1 - world.top1("test")) * SIZES["test"])
    assert sum(each.photos for each in found.reliability) == SIZES["test"]
    assert sum(each.photos for each in found.confused) == wrong
    assert found.switching is not None
    assert sum(each.photos for each in found.switching.confused) == wrong
    assert found.switching.photos == SIZES["test"]


def test_slices_are_under_the_full_setting(world: World, found: Evaluation) -> None:
    grey = torch.tensor(
        [i % 4 == 1 for i in map(int, (p.stem for p in world.photos("test").paths))]
    )
    right = {
        name: (world.logits("test", name).argmax(1) == world.labels("test"))[grey].float().mean()
        for name in PRESETS
    }
    (slice_,) = found.slices
    assert (slice_.name, slice_.photos) == ("greyscale", int(grey.sum()))
    assert slice_.mean == pytest.approx(float(right["full"]))
    assert any(value != right["full"] for value in right.values()), "nothing is tested"


def test_the_difference_is_paired_over_photos(world: World, found: Evaluation) -> None:
    plain = lafe.load(world.plain)
    with torch.no_grad():
        base = plain(world.inputs("test")).argmax(1) == world.labels("test")
    full = world.logits("test").argmax(1) == world.labels("test")
    against = found.against_plain
    assert against is not None
    assert against.plain_top1 == pytest.approx(float(base.float().mean()))
    assert against.only_full_right == int((full & ~base).sum())
    assert against.only_plain_right == int((base & ~full).sum())
    paired = full.double() - base.double()
    assert against.difference.mean == pytest.approx(float(paired.mean()))
    # The normal approximation of a paired difference, and of two that have nothing to do with
    # each other.
    half = 1.96 * float(paired.std()) / len(paired) ** 0.5
    apart = 1.96 * float((full.double().var() + base.double().var()) / len(paired)) ** 0.5
    width = (against.difference.high - against.difference.low) / 2
    assert width == pytest.approx(half, rel=0.1)
    assert width != pytest.approx(apart, rel=0.1), "nothing is tested"


def test_margins_are_over_the_strongest_wrong_class(world: World, found: Evaluation) -> None:
    model, pooled, logits = world.model, world.pooled("test"), world.logits("test")
    with torch.no_grad():
        parts = {
            "D": pooled["D"] @ model.classifier.weight.T,
            "C": -pooled["C"] @ model.classifier.weight.T,
        }
    assert found.branches is not None
    for name, part in parts.items():
        margins = []
        for z, p, true in zip(logits.tolist(), part.tolist(), world.labels("test"), strict=True):
            rival = max((k for k in range(3) if k != true), key=z.__getitem__)
            margins.append(p[true] - p[rival])
        assert getattr(found.branches.margin_added, name) == pytest.approx(
            np.mean(margins), rel=1e-3
        )


def test_probes_are_fitted_to_training_photos_and_measured_on_test_photos(
    world: World, found: Evaluation
) -> None:
    assert found.branches is not None
    pooled = {split: world.pooled(split) for split in SIZES}

    def probe(fitted_to: str, name: str) -> float:
        return scipy_probe(
            pooled[fitted_to][name],
            world.labels(fitted_to),
            pooled["test"][name],
            world.labels("test"),
        )

    told_apart = 0
    for name in ("f5", "D", "C"):
        top1 = getattr(found.branches.linear_probe_top1, name)
        assert top1 == pytest.approx(probe("train", name), abs=2.5 / SIZES["test"])
        told_apart += probe("test", name) > top1 + 4.5 / SIZES["test"]
    assert told_apart, "nothing is tested"


def scipy_probe(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor) -> float:
    """Top-1 of the multinomial logistic regression with L2 0.01, by SciPy in float64."""
    mean, std = x.double().mean(0), x.double().std(0).clamp(min=1e-6)
    z, z_test = ((each.double() - mean) / std for each in (x, x_test))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = torch.tensor(flat, requires_grad=True)
        weight, bias = parameters[3:].view(3, -1), parameters[:3]
        value = F.cross_entropy(z @ weight.T + bias, y) + 1e-2 * weight.square().sum()
        (gradient,) = torch.autograd.grad(value, parameters)
        return float(value), gradient.numpy()

    best = torch.tensor(minimize(loss, np.zeros(3 + 3 * z.shape[1]), jac=True).x)
    weight, bias = best[3:].view(3, -1), best[:3]
    return float(((z_test @ weight.T + bias).argmax(1) == y_test).double().mean())


def test_the_threshold_of_the_unknown_is_set_by_held_out_photos(
    world: World, found: Evaluation
) -> None:
    pooled = {split: world.pooled(split)["F5"] for split in SIZES}
    train = world.labels("train")
    means = torch.stack([pooled["train"][train == k].mean(0) for k in range(3)])

    def scores(split: str) -> dict[str, np.ndarray]:
        z = world.logits(split)
        cosines = F.cosine_similarity(pooled[split][:, None], means[None], dim=2)
        return {
            "max_probability": z.softmax(1).max(1).values.numpy(),
            "energy": z.exp().sum(1).log().numpy(),
            "class_means": cosines.max(1).values.numpy(),
        }

    held_out, test = scores("val"), scores("test")
    for kind, compared in found.unknown.items():
        threshold = np.quantile(held_out[kind], 0.05)
        assert compared.threshold == pytest.approx(threshold, abs=1e-5), kind
        assert compared.own_test_refused == pytest.approx(np.mean(test[kind] < threshold)), kind
        assert np.quantile(test[kind], 0.05) != pytest.approx(threshold, abs=1e-4)
    card = load_card(world.full)
    chosen = max(found.unknown, key=lambda kind: found.unknown[kind].choosing or 0.0)
    assert card.unknown["score"] == chosen
    assert card.unknown["threshold"] == found.unknown[chosen].threshold
    kept = lafe.load(world.full).class_means
    assert (kept is not None) == (chosen == "class_means")
    if kept is not None:
        assert torch.allclose(kept, means, rtol=2e-3, atol=1e-3)  # float16


def test_temperatures_are_fitted_to_held_out_photos(world: World, found: Evaluation) -> None:
    assert found.calibration is not None
    assert found.calibration.fitted_on == SIZES["val"]
    stored = lafe.load(world.full).temperatures
    assert stored is not None
    told_apart = 0
    for name, on in PRESETS.items():
        tempered = found.calibration.presets[name]

        def best(split: str, preset: str = name) -> float:
            z, y = world.logits(split, preset).double(), world.labels(split)

            def loss(u: float) -> float:
                return float(F.cross_entropy(z / 2.0**u, y))

            return 2.0 ** float(minimize_scalar(loss, bracket=(-1.0, 1.0)).x)

        assert tempered.temperature == pytest.approx(best("val"), rel=1e-2), name
        assert float(stored[on.index]) == pytest.approx(tempered.temperature)
        told_apart += abs(best("test") / best("val") - 1) > 0.05
        z = world.logits("test", name) / tempered.temperature
        confidence, predicted = z.softmax(1).max(1)
        error = calibration_error(confidence, (predicted == world.labels("test")).float())
        assert tempered.ece == pytest.approx(error, abs=1e-3), name
    assert told_apart, "nothing is tested"
    card = load_card(world.full)
    assert card.figures["test"]["ece"] == round(found.calibration.presets["full"].ece, 4)


def test_the_checkpoint_keeps_mean_gates_and_verdict(world: World, found: Evaluation) -> None:
    model = world.model
    with torch.no_grad(), lafe.record(model) as r:
        model(world.inputs("train"))
    assert len(model.mean_gates) == 12
    for branch, gate in model.mean_gates.items():
        expected = r[branch].gate.mean(0, keepdim=True)
        assert torch.allclose(gate, expected, atol=1e-5), branch
    written = reports.read(world.full, load_card(world.full).sha256)
    assert written is not None
    assert written.attention is not None
    assert load_card(world.full).verdict == written.attention.verdict


def test_the_card_s_figures_name_their_split(world: World, found: Evaluation) -> None:
    figures = load_card(world.full).figures
    assert figures["test"]["photos"] == SIZES["test"]
    assert figures["test"]["top1"] == pytest.approx(world.top1("test"), abs=1e-4)
    assert figures["held_out"]["photos"] == SIZES["val"]
    assert figures["held_out"]["top1"] == pytest.approx(world.top1("val"), abs=1e-4)


def test_out_is_written_to_and_the_checkpoint_is_left_alone(
    world: World, found: Evaluation, tmp_path: Path
) -> None:
    before = {file.name: file.read_bytes() for file in world.full.iterdir()}
    evaluate(world.full, world.data, out=tmp_path / "a" / "b")
    assert {file.name: file.read_bytes() for file in world.full.iterdir()} == before
    beside = {file.name for file in (tmp_path / "a" / "b").iterdir()}
    assert beside == before.keys()


def test_differences_can_be_worked_out_from_the_predictions_alone(
    world: World, found: Evaluation
) -> None:
    kept = predictions.read(world.full.parent / predictions.FOLDER / "full.csv")
    assert kept.photos == tuple(path.name for path in world.photos("test").paths)
    for name, figures in found.presets.items():
        assert kept.right(name).mean() == pytest.approx(figures.top1), name
    against = found.against_plain
    assert against is not None
    assert kept.cost(predictions.PLAIN) == against.difference
    attends = reports.read(world.full, load_card(world.full).sha256)
    assert attends is not None
    assert attends.attention is not None
    for name, stand_in in attends.attention.stand_ins.items():
        column = predictions.GATES + name
        assert kept.given[column].shape == (SIZES["test"], stand_in.draws)
        assert kept.right(column).mean() == pytest.approx(stand_in.top1)
        assert kept.changed(column) == pytest.approx(stand_in.changed)
        for end in ("mean", "low", "high"):
            cost = getattr(kept.cost(column), end)
            assert cost == pytest.approx(getattr(stand_in.cost, end), abs=1e-6), name


def test_a_run_that_holds_no_photo_out_is_measured_and_says_what_it_lacks(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "all"
    recipe = {"data": "folder", "val_fraction": 0, "objective": "paper", "epochs": 1, "seed": 0}
    training = {"photos": SIZES["train"] + SIZES["val"], "hours": 0.1, "best_epoch": 1}
    model = world.model
    save(
        model, folder, world.photos("test").classes,
        resize=36, mean=HALF, std=HALF, recipe=recipe, training=training,
    )  # fmt: skip
    report = evaluate(folder, world.data)
    assert "No photo was held out from training (val_fraction 0)" in capsys.readouterr().out
    assert report.evaluation is not None
    assert report.evaluation.presets["full"].top1 == pytest.approx(world.top1("test"))
    assert (report.evaluation.calibration, dict(report.evaluation.unknown)) == (None, {})
    assert report.attention is not None
    assert report.attention.likelihood is None
    again = lafe.load(folder)
    assert again.temperatures is None
    assert "held_out" not in again.card.figures
    with torch.no_grad(), lafe.record(model) as r:
        model(torch.cat([world.inputs("train"), world.inputs("val")]))
    for branch, gate in again.mean_gates.items():  # over all photos that it was trained on
        assert torch.allclose(gate, r[branch].gate.mean(0, keepdim=True), atol=1e-5), branch
    assert "No photo was held out: the last epoch is kept." in tables.render([folder])


def test_a_report_that_cannot_be_read_is_found_before_the_work(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("worked")

    monkeypatch.setattr(evaluation, "run", never)
    (tmp_path / REPORT).write_text("{")
    with pytest.raises(reports.ReportError, match=r"report\.json"):
        evaluate(world.full, world.data, out=tmp_path)


def test_recipes_differ_in_what_is_not_the_attention() -> None:
    ours = {"name": "birds", "attention": True, "epochs": 9, "lr": 0.01, "freeze": ["stem"]}
    theirs = ours | {"name": "birds-plain", "attention": False}
    assert recipe_differences(ours, theirs) == {}
    assert recipe_differences(ours, theirs | {"epochs": 12, "seed": 1}) == {
        "epochs": (9, 12),
        "seed": (None, 1),
    }


def test_foreign_photos_may_be_of_more_classes_than_the_model_knows(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = evaluation.open_test_split

    def split(kind: str, root: str | Path) -> PhotoDataset:
        photos = own("folder", root)
        if kind == "folder":
            return photos
        return replace(photos, classes=list("abcdefg"), labels=[6] * len(photos))

    monkeypatch.setattr(evaluation, "open_test_split", split)
    found = evaluate(world.full, world.data, foreign=["cub"], out=tmp_path / "out").evaluation
    assert found is not None
    assert {"cub"} == set().union(*(score.caught for score in found.unknown.values()))
