"""Curves: worked examples by hand, and Quantus's formulas."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import SIZE, photos, tiny_model
from torch import Tensor

import lafe
from lafe import LAFE, Switches, prepare
from lafe.checkpoints.store import load_card, save
from lafe.data import load_benchmark
from lafe.data.preprocess import Preprocess
from lafe.explain.attribution.baselines import baseline
from lafe.explain.attribution.methods import attribute
from lafe.measure import report as reports
from lafe.measure.faithfulness import benchmark, summary, words
from lafe.measure.faithfulness.curves import curves, probability, random_map
from lafe.measure.faithfulness.places import (
    PARTS,
    View,
    auc,
    centred_blob,
    energy,
    gini,
    pointing,
    without_floor,
)
from lafe.measure.faithfulness.protocols import PROTOCOLS, measure
from lafe.measure.faithfulness.registry import REGISTERED, FaithfulnessError, Order
from lafe.measure.faithfulness.stability import randomised, repeatability, sanity, similarity
from lafe.measure.faithfulness.summary import MapRow, PhotoRow
from lafe.measure.protocols import NAMES, Curves, CurveSettings
from lafe.measure.provenance import Provenance

# ---- curves


def test_curves_by_hand() -> None:
    """Four pixels worth 8, 4, 2, 1 over a mean of 3.75: the score is their sum times weights."""
    x = torch.tensor([[8.0, 4.0], [2.0, 1.0]]).expand(1, 3, 2, 2)
    heat = np.array([[4, 1], [3, 2]], np.float32)  # order: 8, 2, 1, 4

    def score(x: Tensor) -> Tensor:
        return x[:, 0, 0, 0] * 2 + x[:, 0, 1, 0]

    found = curves(score, x, {"map": heat}, steps=4, against="mean")["map"]
    # 8 counts twice and 2 once; each gives way to 3.75 in turn.
    assert found.deletion == pytest.approx((18, 9.5, 11.25, 11.25, 11.25))
    assert found.insertion == pytest.approx((11.25, 19.75, 18, 18, 18))
    assert found.deletion_area == pytest.approx((18 / 2 + 9.5 + 11.25 + 11.25 + 11.25 / 2) / 4)
    assert found.insertion_area == pytest.approx((11.25 / 2 + 19.75 + 18 + 18 + 18 / 2) / 4)


@pytest.mark.parametrize("against", ["blur", "mean"])
def test_curves_are_brute_force(against: str) -> None:
    model, x = tiny_model(), photos(1)
    heats = {"a": photos(1, seed=5)[0, 0].numpy(), "b": photos(1, seed=6)[0, 0].numpy()}
    on = Switches.parse("c_dis5")
    found = curves(probability(model, 2, on), x, heats, steps=5, against=against)
    plain = baseline(x, against)
    for name, heat in heats.items():
        order = np.argsort(-heat.ravel())
        for step in range(6):
            gone = np.zeros(heat.size, bool)
            gone[order[: math.ceil(heat.size * step / 5)]] = True
            mask = torch.from_numpy(gone.reshape(heat.shape))
            for mixed, curve in (
                (torch.where(mask, plain, x), found[name].deletion),
                (torch.where(mask, x, plain), found[name].insertion),
            ):
                with torch.no_grad():
                    truth = float(model(mixed, on).softmax(1)[0, 2])
                assert curve[step] == pytest.approx(truth, abs=1e-5)


def test_a_small_map_is_followed_as_it_is_shown() -> None:
    """Upsampled bilinearly: what is deleted first is the patch around its highest value."""
    seen: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        seen.append(x)
        return x.mean((1, 2, 3))

    heat = np.zeros((3, 3), np.float32)
    heat[0, 2] = 1
    x = torch.ones(1, 3, 9, 9)
    x[..., 0] = 2  # else the mean would be the photo
    curves(score, x, {"map": heat}, steps=9, against="mean")
    deleted = (seen[1][0, 0] != x[0, 0]).nonzero()
    assert len(deleted) == 9
    assert deleted[:, 0].max() <= 2
    assert deleted[:, 1].min() >= 6


def test_equal_values_go_in_random_order() -> None:
    x = photos(1)

    def score(x: Tensor) -> Tensor:
        return x[:, 0, : SIZE // 2].mean((1, 2)) - x[:, 0, SIZE // 2 :].mean((1, 2))

    x[:, :, : SIZE // 2] += 5
    flat = curves(score, x, {"map": np.zeros((3, 3))}, steps=4, against="mean")["map"]
    line = np.linspace(flat.deletion[0], flat.deletion[-1], 5)
    np.testing.assert_allclose(flat.deletion, line, atol=0.1)  # not the upper half first


def test_curves_report_progress_and_can_be_stopped() -> None:
    told: list[float] = []
    x = photos(1)
    heats = {"map": random_map(3)}
    curves(lambda x: x.mean((1, 2, 3)), x, heats, steps=9, progress=told.append)
    assert told == [0.5, 1.0]

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curves(lambda x: x.mean((1, 2, 3)), x, heats, steps=9, progress=stop)
    with pytest.raises(ValueError, match="one step"):
        curves(lambda x: x.mean((1, 2, 3)), x, heats, steps=0)


# ---- places


def test_the_view_of_a_photo() -> None:
    """400 x 200 px, resized to 100 and cropped to 80: the view is 320 x 160 px from (40, 20)."""
    view = View.of(Preprocess(100, 80, (0.5,) * 3, (0.5,) * 3), (400, 200))
    assert view.box == pytest.approx((40, 20, 360, 180))
    box = view.of_box(120, 60, 80, 40)  # 80 / 4 = 20 columns from 20, 40 / 2 = 20 rows from 20
    truth = np.zeros((80, 80), bool)
    truth[20:40, 20:40] = True
    assert np.array_equal(box, truth)
    assert view.of_box(0, 0, 400, 200).all()


def test_a_part_is_a_disc_in_the_photo() -> None:
    view = View.of(Preprocess(100, 100, (0.5,) * 3, (0.5,) * 3), (500, 250))
    disc = view.of_part(250, 125)
    assert disc is not None
    for row, column in product(range(100), repeat=2):
        distance = math.hypot((column + 0.5) * 5 - 250, (row + 0.5) * 2.5 - 125)
        assert disc[row, column] == (distance <= 15)  # px, where the longer side is 500
    double = View.of(Preprocess(100, 100, (0.5,) * 3, (0.5,) * 3), (1000, 500)).of_part(500, 250)
    assert np.array_equal(double, disc)


def test_a_part_that_the_model_does_not_see_is_none() -> None:
    view = View.of(Preprocess(100, 80, (0.5,) * 3, (0.5,) * 3), (100, 100))
    assert view.of_part(9, 50) is None
    assert view.of_part(50, 91) is None
    assert view.of_part(11, 50) is not None


def test_masks_and_the_model_see_the_same_place() -> None:
    """A bright box in a photo is bright in the input where its mask is, and nowhere else."""
    preprocess = Preprocess(128, 96, (0.5,) * 3, (0.5,) * 3)
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:120, 90:210] = 255
    x = preprocess(Image.fromarray(pixels))[0, 0].numpy()
    mask = View.of(preprocess, (300, 200)).of_box(90, 60, 120, 60)
    assert ((x > 0) == mask).mean() > 0.99


HEAT = np.array([[1, -2, 0], [3, 0, 1], [3, -1, 2]], np.float32)
MASK = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]], bool)


def test_pointing_energy_and_gini_by_hand() -> None:
    assert pointing(HEAT, MASK) == 0.5  # one of the two highest places is inside
    assert energy(HEAT, MASK) == pytest.approx((3 + 2) / (1 + 3 + 1 + 3 + 2))
    flat = np.ones((3, 3), np.float32)
    assert pointing(flat, MASK) == energy(flat, MASK) == pytest.approx(MASK.mean())
    assert energy(-flat, MASK) is None
    assert gini(flat) == pytest.approx(0)
    assert gini(0 * flat) == 0
    assert gini(np.eye(1, 9)) == pytest.approx(8 / 9)  # one of nine has it all
    assert gini(np.array([[-1.0, 3.0]])) == pytest.approx(0.25)  # |1 - 3| / (n * sum)


def test_a_floor_names_no_place() -> None:
    assert np.array_equal(without_floor(HEAT), HEAT)  # its lowest value speaks against a place
    lifted = np.clip(HEAT, 0, None)
    assert np.array_equal(without_floor(lifted + 7), lifted)
    assert energy(without_floor(lifted + 7), MASK) == energy(HEAT, MASK)
    assert energy(lifted + 7, MASK) != energy(HEAT, MASK)
    assert energy(without_floor(np.ones((3, 3))), MASK) is None


def test_auc_counts_the_pairs_of_places_that_are_in_order() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        heat, mask = random.integers(0, 5, (6, 6)).astype(float), random.random((6, 6)) < 0.4
        pairs = [(a > b) + 0.5 * (a == b) for a in heat[mask] for b in heat[~mask]]
        assert auc(heat, mask) == pytest.approx(np.mean(pairs))
        assert auc(3 * heat + 7, mask) == auc(heat, mask)
    assert auc(np.ones((3, 3)), MASK) == 0.5
    assert auc(HEAT, np.ones((3, 3), bool)) is None
    assert auc(HEAT, np.zeros((3, 3), bool)) is None


def quantus_pointing(heat: np.ndarray, mask: np.ndarray) -> float:
    """PointingGame.evaluate_batch of Quantus 0.6, without weights.

    Its weighted scores go into an array of booleans and cannot be had: a hit raises TypeError.
    """
    return float(np.any(mask.ravel() * (heat.ravel() == heat.max())))


def quantus_mass(heat: np.ndarray, mask: np.ndarray) -> float:
    """RelevanceMassAccuracy.evaluate_batch of Quantus 0.6."""
    return float((heat.ravel() * mask.ravel()).sum() / heat.sum())


def quantus_sparseness(heat: np.ndarray) -> float:
    """Sparseness.evaluate_batch of Quantus 0.6, of absolute values."""
    a = np.sort(np.abs(heat).ravel() + 1e-7)
    n = a.size
    return float(((2 * np.arange(1, n + 1) - n - 1) * a).sum() / (n * a.sum()))


def quantus_flipping(score: Any, x: np.ndarray, heat: np.ndarray, share: int) -> list[float]:
    """PixelFlipping.evaluate_batch of Quantus 0.6: perturbed scores, against the mean colour."""
    order = np.argsort(-heat.ravel())
    x, plain, found = x.copy(), x.mean((2, 3)), []
    for begin in range(0, heat.size, share):
        x.reshape(1, 3, -1)[:, :, order[begin : begin + share]] = plain[..., None]
        found.append(float(score(torch.from_numpy(x))))
    return found


def test_figures_are_those_of_quantus() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        heat, mask = random.random((12, 12)), random.random((12, 12)) < 0.3
        assert pointing(heat, mask) == quantus_pointing(heat, mask)
        assert energy(heat, mask) == pytest.approx(quantus_mass(heat, mask))
        signed = heat - 0.5
        assert gini(signed) == pytest.approx(quantus_sparseness(signed), abs=1e-5)

    x = photos(1, size=12)

    def score(x: Tensor) -> Tensor:
        return torch.tanh(x).square().sum((1, 2, 3))

    mine = curves(score, x, {"map": heat}, steps=6, against="mean")["map"].deletion
    assert mine[1:] == pytest.approx(quantus_flipping(score, x.numpy(), heat, 24), rel=1e-5)


def test_the_formulas_above_are_those_of_the_installed_quantus() -> None:
    """Quantus needs opencv-python, whose files are those of opencv-python-headless: no extra."""
    quantus = pytest.importorskip("quantus", reason="pip install --no-deps quantus")
    random = np.random.default_rng(1)
    heat, mask = random.random((4, 1, 12, 12)), random.random((4, 1, 12, 12)) < 0.3
    given = {
        "model": torch.nn.Identity(),
        "x_batch": random.random((4, 1, 12, 12)),
        "y_batch": np.zeros(4, int),
        "a_batch": heat,
    }
    quiet = {"abs": False, "normalise": False, "disable_warnings": True}
    for metric, mine in (
        (quantus.PointingGame(**quiet), quantus_pointing),
        (quantus.RelevanceMassAccuracy(**quiet), quantus_mass),
    ):
        truth = np.array(metric(**given, s_batch=mask), float)
        assert [mine(h, m) for h, m in zip(heat, mask, strict=True)] == pytest.approx(truth)
    truth = quantus.Sparseness(**quiet | {"abs": True})(**given)
    assert [quantus_sparseness(h) for h in heat] == pytest.approx(truth)
    mask[0] = heat[0] == heat[0].max()  # a hit
    with pytest.raises(TypeError):  # were it mended, our note would be wrong
        quantus.PointingGame(**quiet, weighted=True)(**given, s_batch=mask)


def test_the_blob_is_highest_in_the_middle() -> None:
    blob = centred_blob(8)
    assert np.array_equal(blob, blob[::-1])
    assert np.array_equal(blob, blob.T)
    assert {tuple(place) for place in np.argwhere(blob == blob.max())} == {
        *product((3, 4), repeat=2)
    }


# ---- stability


def test_similarity_is_of_ranks() -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert similarity(a, a**3) == pytest.approx(1)
    assert similarity(a, -a) == pytest.approx(-1)
    b = np.array([[1.0, 3.0], [2.0, 4.0]])
    assert similarity(a, b) == pytest.approx(1 - 6 * 2 / (4 * 15))  # Spearman's own formula
    flat = np.ones((2, 2))
    assert similarity(a, flat) == 0
    assert similarity(flat, 2 * flat) == 1


def changed(a: LAFE, b: LAFE) -> set[str]:
    """The first two parts of the names of the parameters that differ."""
    pairs = zip(a.named_parameters(), b.parameters(), strict=True)
    return {".".join(n.split(".")[:3]) for (n, p), q in pairs if not torch.equal(p, q)}


@pytest.mark.parametrize("attention", [True, False])
def test_weights_become_random_from_the_top_down(attention: bool) -> None:
    model = tiny_model(attention=attention)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    copies = randomised(model)
    own = ["branches"] if attention else []
    assert list(copies) == ["classifier", *own, "stage 5", "stage 4", "stage 3"]
    first, *_, last = copies.values()
    assert changed(model, first) == {"classifier.weight", "classifier.bias"}
    found = {name: changed(model, copy) for name, copy in copies.items()}
    for above, below in zip(list(found)[:-1], list(found)[1:], strict=True):
        assert found[above] < found[below]
    assert "backbone.body.layer4" in found["stage 5"] - found["classifier"]
    assert "backbone.body.layer3" not in found["stage 5"]
    unchanged = {
        n
        for (n, p), q in zip(model.named_parameters(), last.parameters(), strict=True)
        if torch.equal(p, q)
    }
    assert not unchanged
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    again = randomised(model)
    assert not changed(last, again["stage 3"])
    assert changed(last, randomised(model, seed=1)["stage 3"])
    assert not last.training


def test_a_map_that_does_not_change_is_a_defect() -> None:
    model, x = tiny_model(), photos(1)
    copies = randomised(model)
    edges = sanity(lambda model: x[0].mean(0).numpy(), model, copies)
    assert list(edges.similarity.values()) == pytest.approx([1] * 5)
    assert "every weight is random" in (edges.defect or "")
    honest = sanity(
        lambda model: attribute(prepare(model, x), method="evidence", target=1).map, model, copies
    )
    assert honest.defect is None
    D = sanity(lambda model: attribute(prepare(model, x), method="D", target=1).map, model, copies)
    assert D.similarity["classifier"] == pytest.approx(1)  # it knows no class
    assert D.defect is None


def test_repeatability_is_of_noise_of_five_levels() -> None:
    x = photos(1)
    seen: list[Tensor] = []

    def explain(x: Tensor) -> np.ndarray:
        seen.append(x)
        return x[0, 0].numpy()

    found = repeatability(explain, x, (0.25, 0.5, 1.0), draws=2)
    truths = [similarity(x[0, 0].numpy(), noisy[0, 0].numpy()) for noisy in seen[1:]]
    assert found == pytest.approx(np.mean(truths))
    assert len(seen) == 3
    for i, std in enumerate((0.25, 0.5, 1.0)):
        sigma = float((seen[1] - x)[0, i].std())
        assert sigma * std * 255 == pytest.approx(5, rel=0.05)
    assert not torch.equal(seen[1], seen[2])
    assert repeatability(lambda x: HEAT, x, (1,) * 3) == pytest.approx(1)


# ---- the command


def row(seed: int, names: Sequence[str] = ("D", "C")) -> PhotoRow:
    random = np.random.default_rng(seed)

    def places() -> dict[str, float]:
        return {"box": random.random(), "parts": random.random(), "beak": random.random()}

    def one() -> MapRow:
        return MapRow(
            random.random(), random.random(), random.random(), places(), places(), places()
        )

    maps = {name: one() for name in (*names, *summary.CONTROLS)}
    return PhotoRow(f"{seed}.jpg", True, places(), maps, 36.0)


def with_map(row: PhotoRow, name: str, **changes: Any) -> PhotoRow:
    """The row with other figures of one map; those of places are changed one by one."""
    old = row.maps[name]
    merged = {
        key: dict(getattr(old, key)) | value if isinstance(value, dict) else value
        for key, value in changes.items()
    }
    return replace(row, maps=dict(row.maps) | {name: replace(old, **merged)})


def of(rows: Sequence[PhotoRow]) -> Curves:
    settings = CurveSettings("0" * 64, ("D", "C"))
    return summary.of(rows, Provenance("lafe faithfulness", "2026-01-01"), settings, {})


def test_the_summary_is_of_the_photos() -> None:
    rows = [row(seed) for seed in range(8)]
    rows[0] = with_map(rows[0], "C", energy={"box": None})  # no positive value
    unseen = {k: v for k, v in rows[1].maps["D"].energy.items() if k != "beak"}
    maps = dict(rows[1].maps) | {"D": replace(rows[1].maps["D"], energy=unseen)}
    rows[1] = replace(rows[1], maps=maps)
    for i in range(2):
        for name in ("D", "C"):
            last = 0.95 if name == "C" else 0.1
            rows[i] = with_map(rows[i], name, sanity={"top": 0.5, "all": last}, repeatability=0.75)
    rows[0], rows[1] = replace(rows[0], seconds=60.0), replace(rows[1], seconds=80.0)
    rows[5] = replace(rows[5], seconds=9000.0)  # the machine slept
    found = of(rows)
    assert found.hours == pytest.approx((2 * 70 + 6 * 36) / 3600)
    assert (found.photos, found.right, found.stability_photos) == (8, 8, 2)
    D = [r.maps["D"] for r in rows]
    deletion = found.maps["D"].measures["deletion"]
    assert deletion is not None
    assert deletion.mean == pytest.approx(np.mean([d.deletion for d in D]))
    assert deletion.low < deletion.mean < deletion.high
    beak = found.maps["D"].energy_by_part["beak"]
    assert beak is not None
    assert beak.photos == 7
    assert beak.mean == pytest.approx(np.mean([d.energy["beak"] for d in D[:1] + D[2:]]))
    assert found.maps["D"].energy_by_part["tail"] is None
    difference = found.differences["D - C"]["energy in box"]
    assert difference is not None
    boxes = [(r.maps["D"].energy["box"], r.maps["C"].energy["box"]) for r in rows[1:]]
    assert difference.photos == 7
    assert difference.mean == pytest.approx(np.mean([p - q for p, q in boxes if p and q]))
    ranks = found.differences["D - C"]["auc in parts"]
    assert ranks is not None
    assert ranks.mean == pytest.approx(
        np.mean([r.maps["D"].auc["parts"] - r.maps["C"].auc["parts"] for r in rows])  # type: ignore[operator]
    )
    assert found.maps["C"].defect is True
    assert found.maps["D"].defect is False
    assert found.maps["D"].sanity["top"].mean == pytest.approx(0.5)
    assert not found.maps["centre"].sanity
    chance = found.chance["box"]
    assert chance is not None
    assert chance.mean == pytest.approx(np.mean([r.chance["box"] for r in rows]))


def test_a_difference_is_paired_over_photos() -> None:
    """D is a little above C on each photo, and photos differ much: unpaired, nothing is shown."""
    rows = [row(seed) for seed in range(12)]
    for i, one in enumerate(rows):
        one = with_map(one, "D", energy={"box": i / 12 + 0.01 + 0.001 * (i % 2)})
        rows[i] = with_map(one, "C", energy={"box": i / 12})
    difference = of(rows).differences["D - C"]["energy in box"]
    assert difference is not None
    assert 0.01 <= difference.low < difference.mean < difference.high <= 0.011


def test_answers_are_those_of_the_figures() -> None:
    rows = [row(seed) for seed in range(8)]
    for i, one in enumerate(rows):
        one = replace(one, chance={"box": 0.4, "parts": 0.1, "beak": 0.01})
        one = with_map(
            one, "D", energy={"box": 0.7 + i / 500, "parts": 0.2, "beak": 0.05},
            auc={"box": 0.9 + i / 500, "parts": 0.6},
        )  # fmt: skip
        one = with_map(
            one, "C", energy={"box": 0.6, "parts": 0.2 + i / 1000},
            auc={"box": 0.5, "parts": 0.5 + i / 1000},
        )  # fmt: skip
        rows[i] = with_map(
            one, "centre", energy={"box": 0.7 + (i - 3.5) / 10}, auc={"box": 0.9 + (i - 3) / 20}
        )
    found = words.answers(of(rows))
    assert len(found) == 4
    bird, parts = found[0][1], found[1][1]
    assert bird.startswith("Yes: 70.7 % of the energy")
    assert "60.0 %" in bird
    assert "+10.7 (" in bird
    assert "by chance 40.0 %" in bird
    assert "AUC 90.7 and 50.0 %: +40.7 (" in bird
    assert parts.startswith("It depends on the measure: 20.0 %")  # less energy, higher ranks
    assert "by chance 10.0 %" in parts
    assert found[2][1].startswith("No difference is shown")
    assert "beak (5.0)" in found[3][1]


def test_a_map_that_stands_out_by_its_floor_alone_is_no_answer() -> None:
    """Energies differ, ranks do not: the answer is not yes."""
    rows = [row(seed) for seed in range(8)]
    for i, one in enumerate(rows):
        one = with_map(one, "D", energy={"box": 0.7 + i / 500}, auc={"box": 0.5 + i / 1000})
        rows[i] = with_map(one, "C", energy={"box": 0.6}, auc={"box": 0.5035})
    assert words.answers(of(rows))[0][1].startswith("It depends on the measure")


def test_the_backbone_s_own_map_is_asked_about() -> None:
    rows = [row(seed, ("D", "C", "f5")) for seed in range(8)]
    questions = [question for question, _ in words.answers(of(rows))]
    assert "Do they fall on the bird more than the backbone's own features do?" in questions


def test_the_table_has_a_row_for_each_map() -> None:
    rows = [row(seed) for seed in range(4)]
    rows[0] = with_map(rows[0], "C", sanity={"branches": 0.5, "all": 0.95}, repeatability=0.75)
    rows[0] = with_map(rows[0], "D", sanity={"branches": 0.92, "all": 0.1}, repeatability=0.5)
    for i, one in enumerate(rows):
        rows[i] = with_map(one, "D", energy={"box": None})
    found = of(rows)
    columns = words.table(found)
    assert {len(column) for column in columns.values()} == {5}
    place = list(found.maps).index
    assert columns["Energy in box, %"][place("D")] == "-"
    deletion = found.maps["C"].measures["deletion"]
    assert deletion is not None
    assert columns["Deletion"][place("C")].startswith(f"{deletion.mean:.3f} (")
    assert words.randomisation(found) == {
        "Map": ["D, discriminative features", "C, confusable features"],
        "to branches": ["0.920 (0.920 to 0.920)", "0.500 (0.500 to 0.500)"],
        "to all": ["0.100 (0.100 to 0.100)", "0.950 (0.950 to 0.950)"],
        "Defect": ["its branches do not matter", "the weights do not matter"],
    }
    assert words.randomisation(of(rows[1:])) == {}


@pytest.fixture
def checkpoint(tmp_path: Path, shared_data: Path) -> Path:
    test = load_benchmark("cub", shared_data, "test")
    torch.manual_seed(0)
    model = LAFE("test_resnet", len(test.classes), 64).eval()
    save(model, tmp_path / "tiny", test.classes, resize=80)
    return tmp_path / "tiny"


def test_the_command_resumes_where_it_was_cut(
    checkpoint: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"photos": 2, "methods": ("D", "evidence-con"), "runs": checkpoint / "runs"}
    report = benchmark.measure(checkpoint, shared_data, **given)  # type: ignore[arg-type]
    lines = checkpoint / "runs" / "faithfulness-tiny.jsonl"
    whole = lines.read_text()
    written = reports.read(checkpoint, load_card(checkpoint).sha256)
    assert written is not None
    assert written.faithfulness is not None
    assert written.faithfulness.protocols.curves == report
    assert set(report.maps) == {"D", "evidence-con", *summary.CONTROLS}
    assert report.stability_photos == 2

    lines.write_text(whole[:-9])  # within the last line
    done: list[str] = []
    photo = benchmark.Bench.photo

    def counted(self: Any, one: Any, **options: Any) -> Any:
        done.append(one.paths[0].name)
        return photo(self, one, **options)

    monkeypatch.setattr(benchmark.Bench, "photo", counted)
    again = benchmark.measure(checkpoint, shared_data, **given)  # type: ignore[arg-type]
    assert len(done) == 1
    assert again.maps == report.maps  # bit for bit

    done.clear()
    more = benchmark.measure(checkpoint, shared_data, **given | {"photos": 3})  # type: ignore[arg-type]
    assert len(done) == 1
    assert more.photos == 3
    fewer = benchmark.measure(checkpoint, shared_data, **given)  # type: ignore[arg-type]
    assert (fewer.photos, fewer.maps) == (2, report.maps)

    other = given | {"methods": ("D",)}
    with pytest.raises(ValueError, match="other settings"):
        benchmark.measure(checkpoint, shared_data, **other)  # type: ignore[arg-type]


def test_a_photos_figures_are_those_of_its_maps(checkpoint: Path, shared_data: Path) -> None:
    model = lafe.load(checkpoint)
    test = load_benchmark("cub", shared_data, "test").subset([5])
    settings = CurveSettings("", ("D",), stability=0, bfloat16=False)
    found = benchmark.Bench(model, settings).photo(test, stability=False)
    picture = test.photo(0)
    x = model.preprocess(picture)
    heat = attribute(prepare(model, x), method="D").map
    score = probability(model, int(model(x).argmax()))
    curve = curves(score, x, {"D": heat})["D"]
    assert found.maps["D"].deletion == pytest.approx(curve.deletion_area, abs=1e-6)
    large = benchmark.at_size(heat, 64)
    view = View.of(model.preprocess, picture.size)
    assert test.boxes is not None
    assert test.parts is not None
    box = view.of_box(*test.boxes[0].tolist())
    assert 0.05 < box.mean() < 1
    assert found.maps["D"].energy["box"] == energy(without_floor(large), box)
    assert found.maps["D"].auc["box"] == auc(large, box)
    assert found.maps["D"].pointing["box"] == pointing(large, box)
    assert found.chance["box"] == box.mean()
    seen = {
        name: view.of_part(x, y)
        for name, (x, y, visible) in zip(PARTS, test.parts[0].tolist(), strict=True)
        if visible
    }
    assert set(found.chance) == {"box", "parts", *(n for n, m in seen.items() if m is not None)}
    drawn = random_map(64, seed=zlib.crc32(test.paths[0].name.encode()))
    curve = curves(score, x, {"random": drawn})["random"]
    random = found.maps["random-pixels"]
    assert random.deletion == pytest.approx(curve.deletion_area, abs=1e-6)
    assert random.energy["box"] == energy(without_floor(drawn), box)
    half = benchmark.Bench(model, CurveSettings("", ("D",), stability=0)).photo(
        test, stability=False
    )
    assert half.maps["D"].deletion == pytest.approx(curve.deletion_area, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"methods": ("lime",)}, "no method 'lime'"),
        ({"methods": ("D", "D")}, "different"),
        ({"photos": 0}, "At least one"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    checkpoint: Path, shared_data: Path, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        benchmark.measure(checkpoint, shared_data, runs=checkpoint, **wrong)


# ---- protocols


def test_every_field_of_the_report_has_its_protocol() -> None:
    assert (
        set(REGISTERED) == set(NAMES) == {name for name, p in PROTOCOLS.items() if p.name == name}
    )


def test_a_protocol_that_needs_data_says_so_before_the_work() -> None:
    with pytest.raises(FaithfulnessError, match="'curves' needs --data"):
        measure("curves", Order("nowhere"))
    with pytest.raises(FaithfulnessError, match="no protocol 'curve': choose one of curves"):
        measure("curve", Order("nowhere"))
