"""Scores of the unknown by hand, and the verdict on a photo."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lafe
from lafe.checkpoints.reading import read
from lafe.checkpoints.store import save
from lafe.explain import unknown


def test_scores_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0]])
    pooled = torch.tensor([[3.0, 4.0], [0.0, -2.0]])
    means = torch.tensor([[2.0, 0.0], [0.0, 5.0]])
    scores = {k: unknown.score(k, logits, pooled, means).tolist() for k in unknown.KINDS}
    assert scores["max_probability"] == pytest.approx([0.75, 0.8])
    assert scores["energy"] == pytest.approx([math.log(4), math.log(5)])
    assert scores["class_means"] == pytest.approx([0.8, 0.0])  # cosines .6, .8 and 0, -1
    with pytest.raises(ValueError, match="needs means"):
        unknown.score("class_means", logits, pooled, None)
    with pytest.raises(ValueError, match="not 'entropy'"):
        unknown.score("entropy", logits, pooled, means)


def test_means_are_taken_class_by_class() -> None:
    pooled = torch.tensor([[1.0, 2.0], [3.0, 4.0], [10.0, 0.0]])
    means = unknown.class_means(pooled, torch.tensor([1, 1, 0]), 3)
    assert means.tolist() == [[10, 0], [2, 3], [0, 0]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model whose threshold its own photo just passes."""
    torch.manual_seed(0)
    folder = save(lafe.LAFE("test_resnet", 3, 32).eval(), tmp_path / "tiny", list("abc"))
    with_means(folder, torch.randn(3, 96), threshold=0.0)
    return folder


def with_means(folder: Path, means: torch.Tensor, threshold: float) -> None:
    stored = read(folder)
    unknown = {"score": "class_means", "threshold": threshold}
    replace(stored, class_means=means, card=replace(stored.card, unknown=unknown)).write(folder)


def test_a_photo_is_judged_by_its_distance_to_the_class_means(folder: Path) -> None:
    x = torch.randn(1, 3, 32, 32)
    model = lafe.load(folder)
    with lafe.record(model) as r:
        model(x)
    pooled = r.F5.mean((2, 3))
    means = torch.cat([pooled, pooled.roll(7, 1), -pooled])
    with_means(folder, means, threshold=0.999)  # it is itself a mean
    photo = lafe.prepare(lafe.load(folder), x)
    assert unknown.familiarity(photo) == pytest.approx(1, abs=1e-4)
    assert not unknown.looks_unknown(photo)
    with_means(folder, -means[:1].repeat(3, 1), threshold=0.999)
    assert unknown.looks_unknown(lafe.prepare(lafe.load(folder), x))


def test_without_a_threshold_there_is_no_verdict(tmp_path: Path) -> None:
    save(lafe.LAFE("test_resnet", 3, 32).eval(), tmp_path / "tiny", list("abc"))
    photo = lafe.prepare(lafe.load(tmp_path / "tiny"), torch.randn(1, 3, 32, 32))
    assert unknown.familiarity(photo) is None
    assert not unknown.looks_unknown(photo)
