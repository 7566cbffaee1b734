"""Scores of the unknown compared, by hand."""

import pytest
import torch
from torch import Tensor

from lafe.explain.unknown import KINDS
from lafe.measure import unknown, words
from lafe.measure.outputs import Answers, Outputs
from lafe.measure.report import UnknownScore

MEANS = torch.eye(3)
BIAS = torch.tensor([0.3, -0.2, 0.0])
KNOWN = unknown.Knowledge(5 * torch.eye(3), BIAS, MEANS)


def logits_of(pooled: Tensor) -> Tensor:
    return 5 * pooled + BIAS


def outputs(labels: list[int], pooled: Tensor) -> Outputs:
    zero, y = torch.zeros_like(pooled), torch.tensor(labels)
    answers = {"full": Answers.of(logits_of(pooled), y)}
    return Outputs(y, answers, {"f5": pooled, "D": zero, "C": zero})


def left_out(held_out: Outputs, photos: Outputs) -> dict[str, float]:
    return unknown.left_out(unknown.thresholds(held_out, KNOWN), photos, KNOWN)


def near(labels: list[int], seed: int, noise: float = 0.1) -> Outputs:
    """Photos whose features lie around the mean of their class."""
    g = torch.Generator().manual_seed(seed)
    return outputs(labels, MEANS[labels] + noise * torch.rand(len(labels), 3, generator=g))


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def test_the_threshold_accepts_95_of_100_held_out_photos() -> None:
    held_out = near([i % 3 for i in range(100)], 0)
    compared = unknown.compare(held_out, near([0, 1, 2], 1), {}, KNOWN)
    for kind, values in unknown.scores(held_out, KNOWN).items():
        assert int((values < compared[kind].threshold).sum()) == 5


def test_a_score_is_chosen_on_other_photos_than_it_is_reported_on() -> None:
    known = near([i % 3 for i in range(60)], 0)
    # Every second foreign photo is close to a mean; the others lie far from all.
    pooled = torch.ones(6, 3)
    pooled[1::2] = MEANS[0]
    found = unknown.compare(known, known, {"cars": outputs([0] * 6, pooled)}, KNOWN)["class_means"]
    assert found.caught == {"cars": 0.0}
    assert found.choosing == pytest.approx((1.0 + left_out(known, known)["class_means"]) / 2)


@pytest.mark.parametrize("at_once", [unknown.NUMBERS, 40])
def test_a_class_that_is_left_out_has_neither_mean_nor_logit(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown, "NUMBERS", at_once)  # a class at a time
    monkeypatch.setattr(unknown, "ROWS", 7)
    held_out, test = (
        near([i % 3 for i in range(31)], 2, 0.6),
        near([i % 3 for i in range(50)], 3, 1),
    )
    shares = left_out(held_out, test)

    def by_hand(photos: Outputs, left: int) -> list[tuple[int, dict[str, float]]]:
        rows = []
        for label, f, z in zip(
            photos.labels.tolist(), photos.final, logits_of(photos.final), strict=True
        ):
            rest = [k for k in range(3) if k != left]
            e = z[rest].exp()
            rows.append(
                (
                    label,
                    {
                        "max_probability": float(e.max() / e.sum()),
                        "energy": float(e.sum().log()),
                        "class_means": max(cosine(f, MEANS[k]) for k in rest),
                    },
                )
            )
        return rows

    for kind in KINDS:
        count = 0
        for left in range(3):
            own = [s[kind] for label, s in by_hand(held_out, left) if label != left]
            threshold = float(torch.tensor(own).quantile(0.05))
            count += sum(s[kind] < threshold for label, s in by_hand(test, left) if label == left)
        assert shares[kind] == pytest.approx(count / 50), kind
    told = unknown.compare(held_out, test, {}, KNOWN)
    assert shares["class_means"] > told["class_means"].own_test_refused  # or nothing was tested


def test_a_class_that_is_nearly_certain_is_left_out_exactly() -> None:
    """Of a sum of exponentials whose largest is all but all of it, the rest is still known."""
    pooled = torch.tensor([[9.0, 0.1, 0.0], [9.0, 0.0, 0.1], [0.0, 1.0, 0.9], [0.2, 0.0, 4.0]])
    sure = outputs([1, 1, 2, 0], pooled)
    found = unknown.thresholds(sure, KNOWN)
    z = logits_of(pooled).double()
    for left in range(3):
        rest = [k for k in range(3) if k != left]
        own = z[sure.labels != left][:, rest].logsumexp(1)
        assert float(found["energy"][left]) == pytest.approx(float(own.quantile(0.05)), abs=1e-5)


def test_the_best_score_catches_most_of_the_photos_that_choose() -> None:
    def score(choosing: float | None) -> UnknownScore:
        return UnknownScore(0.0, 0.0, {}, choosing=choosing)

    assert unknown.best({"energy": score(0.4), "class_means": score(0.5)}) == "class_means"
    assert unknown.best({"energy": score(0.6), "class_means": score(0.5)}) == "energy"


def test_nothing_is_left_out_of_one_class() -> None:
    one = near([0] * 20, 0)
    found = unknown.compare(one, one, {}, KNOWN)["class_means"]
    assert (found.left_out, found.choosing) == (None, None)


def test_every_score_has_words_for_people() -> None:
    assert set(words.SCORES) == set(KINDS)
