"""What rows hold, against what the model gives for one photo at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny_model

import lafe
from lafe.batch.jobs import Job
from lafe.batch.look import look
from lafe.batch.rows import Ablations, Predictions, made_by, rows
from lafe.branches import FULL, Switches
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data.photo import PhotoError
from lafe.explain.unknown import familiarity

CLASSES = ["Blue Jay", "Cardinal", "Ovenbird", "Grackle", "Crow"]
A, B = Switches.parse("c_dis345.r_dis5"), Switches.parse("r_con4.c_con5.c_dis3")


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    save(tiny_model(), tmp_path / "tiny", CLASSES)
    model = lafe.load(tmp_path / "tiny")
    model.temperatures = torch.linspace(0.5, 2, 4096)
    return model


def batch(count: int = 4) -> list[tuple[Job, torch.Tensor | PhotoError]]:
    x = torch.randn(count, 3, 96, 96, generator=torch.Generator().manual_seed(3))
    return [(Job(f"{i}.jpg", f"{i}.jpg", i % 5), x[i : i + 1]) for i in range(count)]


@pytest.mark.parametrize(
    "options", [{}, {"region": False}, {"fusion": False}, {"attention": False}]
)
def test_settings_of_a_batch_are_those_of_the_model(options: dict[str, bool]) -> None:
    model = tiny_model(**options)
    x = torch.cat([x for _, x in batch()])
    looked = look(model, [x for _, x in batch()])
    for on in (FULL, A, B, Switches.none(), A):
        with torch.no_grad():
            torch.testing.assert_close(looked.logits(on), model(x, on), atol=1e-5, rtol=1e-5)
    alone = looked.photo(2)
    torch.testing.assert_close(alone.logits(A), model(x[2:3], A)[0].detach(), atol=1e-5, rtol=1e-5)


def test_each_attribute_of_a_batch_is_computed_once(model: Trained) -> None:
    calls = []
    for side in model.sides.values():
        side.register_forward_hook(lambda *_: calls.append(1))
    model.backbone.register_forward_hook(lambda *_: calls.append(100))
    rows(model, Predictions(versus=Switches.none()), batch())
    assert sum(calls) == 100 + 2  # D and C of the full setting; none of the other
    calls.clear()
    rows(model, Predictions(A, FULL.side("dis")), batch())
    assert sum(calls) == 100 + 2


def test_rows_of_two_settings(model: Trained) -> None:
    said = rows(model, Predictions(A, B, top=2), batch())
    for (job, x), one in zip(batch(), said, strict=True):
        photo = lafe.prepare(model, x)
        a, b = photo.probabilities(A), photo.probabilities(B)
        order = a.argsort(descending=True)[:2]
        assert one.row == {
            "photo": job.name,
            "true": CLASSES[job.label],
            "switches": str(A),
            "class": CLASSES[a.argmax()],
            "probability": pytest.approx(float(a.max()), abs=1e-5),
            "familiar": None,  # the card has no threshold
            "error": None,
            "b_switches": str(B),
            "b_class": CLASSES[b.argmax()],
            "b_probability": pytest.approx(float(b.max()), abs=1e-5),
            "top": [
                {"class": CLASSES[i], "probability": pytest.approx(float(a[i]), abs=1e-5)}
                for i in order
            ],
        }
        assert list(one.row) == list(Predictions(A, B, top=2).columns)


def test_a_photo_that_failed_is_a_row_in_its_place(model: Trained) -> None:
    given = batch()
    given[1] = (given[1][0], PhotoError("This file is empty."))
    question = Predictions(A, B, top=3, table=True)
    first, failed, *rest = rows(model, question, given)
    nothing = dict.fromkeys(question.columns)
    assert failed.row == nothing | {
        "photo": "1.jpg",
        "true": "Cardinal",
        "error": "This file is empty.",
    }
    assert [one.row["error"] for one in (first, *rest)] == [None] * 3
    assert rows(model, question, given[1:2])[0].row == failed.row


def test_only_some_classes_are_possible(model: Trained) -> None:
    for one in rows(model, Predictions(among=("crow", "Ovenbird"), top=5), batch()):
        assert {t["class"] for t in one.row["top"]} == {"Crow", "Ovenbird"}


def test_unknown_photos_are_told_by_the_full_setting(model: Trained) -> None:
    score = {"score": "max_probability", "threshold": 0.0, "accepted": 0.95, "caught": {}}
    model.card = replace(model.card, unknown=score)
    scores = [familiarity(lafe.prepare(model, x)) for _, x in batch()]
    threshold = sorted(scores)[1] + 1e-6
    model.card = replace(model.card, unknown=score | {"threshold": threshold})
    said = rows(model, Predictions(A), batch())
    assert [one.row["familiar"] for one in said] == [s >= threshold for s in scores]


def test_tables_are_those_of_one_photo(model: Trained) -> None:
    said = rows(model, Predictions(A, table=True), batch(2))
    ablated = rows(model, Ablations("logit"), batch(2))
    for (_, x), one, worth in zip(batch(2), said, ablated, strict=True):
        table = lafe.factorial(lafe.prepare(model, x))
        label, full = CLASSES.index(one.row["class"]), int(table.predictions()[-1])
        values = table.shapley(label).flatten().tolist()
        assert list(one.row["shapley"].values()) == pytest.approx(values, abs=1e-5)
        values = table.shapley(full, "logit").flatten().tolist()
        assert list(worth.row["shapley"].values()) == pytest.approx(values, abs=1e-4)
        assert worth.row["full"] - worth.row["none"] == pytest.approx(sum(values), abs=1e-4)
        flips = [str(flip.off) for flip in table.flips()[:5]]
        assert [flip["without"] for flip in one.row["flips"]] == flips


def test_maps_are_the_evidence_for_the_row_s_class(model: Trained) -> None:
    for on in (A, FULL, Switches.none()):
        said = rows(model, Predictions(on, maps=True), batch(3))
        for (_, x), one in zip(batch(3), said, strict=True):
            found = lafe.evidence(lafe.prepare(model, x), switches=on)
            expected = torch.stack([found.backbone, found.dis, found.con])
            torch.testing.assert_close(one.maps, expected, atol=1e-5, rtol=1e-4)
            assert float(one.maps.sum()) + one.bias == pytest.approx(found.logit, abs=1e-4)


def test_bfloat16_gives_nearly_the_same(model: Trained) -> None:
    exact = rows(model, Predictions(A), batch())
    for one, other in zip(
        exact, rows(model, Predictions(A, precision="bf16"), batch()), strict=True
    ):
        assert one.row["probability"] == pytest.approx(other.row["probability"], abs=0.1)
        assert one.row["probability"] != other.row["probability"]


def test_what_makes_rows_changes_with_all_that_decides_them(model: Trained) -> None:
    question = Predictions(A)
    first = made_by(model, question)
    for other in (
        Predictions(B),
        Predictions(A, B),
        Predictions(A, among=("Crow",)),
        Predictions(A, top=1),
        Predictions(A, table=True),
        Predictions(A, maps=True),
        Predictions(A, precision="bf16"),
        Ablations(),
    ):
        assert made_by(model, other) != first
    model.temperatures = torch.ones(4096)
    assert made_by(model, question) != first
