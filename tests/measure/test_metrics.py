"""Figures of outputs against worked examples: by hand, or with a known end."""

import math

import pytest
import torch

from lafe.measure import metrics
from lafe.measure.outputs import Answers, Outputs
from lafe.measure.report import Changes, Confusion

CLASSES = ["red", "green", "blue"]


def test_a_photo_s_answer_is_worked_out_by_hand() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0, -1.0, -2.0], [1.0, 2.0, 3.0, 0.0, 0.0, 0.0]])
    said = Answers.of(logits, torch.tensor([5, 1]), 2.0)
    assert (said.predicted.tolist(), said.top5.tolist()) == ([0, 2], [0.0, 1.0])
    for i, z in enumerate(logits.tolist()):
        assert float(said.energy[i]) == pytest.approx(math.log(sum(map(math.exp, z))))
        assert float(said.confidence[i]) == pytest.approx(
            math.exp(3) / sum(map(math.exp, z)), rel=1e-5
        )
        tempered = [math.exp(v / 2) for v in z]
        assert float(said.tempered[i]) == pytest.approx(max(tempered) / sum(tempered), rel=1e-5)
        true = tempered[(5, 1)[i]]
        assert float(said.loss[i]) == pytest.approx(-math.log(true / sum(tempered)), rel=1e-5)
    few = Answers.of(logits[:, :3], torch.tensor([2, 0]))
    assert few.top5.tolist() == [1.0, 1.0]  # no more classes than there are
    assert torch.equal(few.tempered, few.confidence)


def test_calibration_error_by_hand() -> None:
    # Two photos at 0.8, one of them right; two at 0.6, both right.
    def row(p: float) -> list[float]:
        return [math.log(p), math.log(1 - p)]

    logits = torch.tensor([row(0.8), row(0.8), row(0.62), row(0.62)])
    labels = torch.tensor([0, 1, 0, 0])
    expected = 0.5 * abs(0.5 - 0.8) + 0.5 * abs(1.0 - 0.62)
    said = Answers.of(logits, labels)
    right = (said.predicted == labels).float()
    assert metrics.calibration_error(said.confidence, right) == pytest.approx(expected, abs=1e-5)
    rows = metrics.reliability(said.confidence, right)
    assert [(r.photos, r.accuracy) for r in rows] == [(2, 1.0), (2, 0.5)]


def test_branch_figures_of_a_model_whose_terms_are_known() -> None:
    # W = 1, so pooled features are logits.  D adds 3 to class 0, C takes 1 from class 1.
    f5 = torch.tensor([[1.0, 2.0, 0.0]])
    D = torch.tensor([[3.0, 0.0, 0.0]])
    C = torch.tensor([[0.0, 1.0, 0.0]])
    logits = {
        "full": f5 + D - C,
        "no discriminative": f5 - C,
        "no confusable": f5 + D,
        "plain backbone": f5,
    }
    label = torch.tensor([0])
    answers = {name: Answers.of(z, label) for name, z in logits.items()}
    outputs = Outputs(label, answers, {"f5": f5, "D": D, "C": C})
    g = torch.Generator().manual_seed(0)
    pooled = {name: torch.randn(9, 3, generator=g) for name in outputs.pooled}
    train = Outputs(torch.arange(9) % 3, {}, pooled)
    found = metrics.branch_figures(train, outputs, torch.eye(3), torch.zeros(3))
    # Class 0, centred: full 4 - 5/3 = 7/3, none 1 - 1 = 0.
    assert found.share == pytest.approx(1.0)
    terms = found.logit_of_predicted
    assert (terms.f5, terms.D, terms.C) == pytest.approx((0.0, 2.0, 1 / 3), abs=1e-6)
    assert found.changes_without == Changes(D=0.0, C=0.0, both=1.0)  # 1, 1, 0: the first wins
    assert pytest.approx((3.0, 1.0)) == (found.margin_added.D, found.margin_added.C)
    assert pytest.approx(1 / math.sqrt(5)) == found.cosine_with_f5.D


def test_a_linear_probe_separates_what_is_separable_and_nothing_else() -> None:
    torch.manual_seed(0)
    y = torch.arange(300) % 3
    noise = torch.randn(300, 8)
    signal = torch.cat([noise, torch.nn.functional.one_hot(y, 3) * 5.0], 1)
    half = slice(0, 150), slice(150, 300)
    assert metrics.linear_probe((signal[half[0]], y[half[0]]), (signal[half[1]], y[half[1]])) > 0.98
    chance = metrics.linear_probe((noise[half[0]], y[half[0]]), (noise[half[1]], y[half[1]]))
    assert chance < 0.5


def test_confused_pairs_are_counted_with_the_true_class_first() -> None:
    predicted = torch.tensor([1, 2, 2, 0, 0])
    labels = torch.tensor([0, 1, 1, 0, 2])
    assert metrics.confused(predicted, labels, CLASSES) == (
        Confusion("green", "blue", 2),
        Confusion("red", "green", 1),
        Confusion("blue", "red", 1),
    )
