"""The paper's claim on photos: pairs, parts and places, each worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import SIZE, photos, tiny_model

from lafe import prepare
from lafe.data.part_attributes import Attributes
from lafe.measure.faithfulness.claims import Maps, claim, mean_shares, shares, union
from lafe.measure.faithfulness.look_alikes import differing, most_confused
from lafe.measure.faithfulness.part_rows import Shares
from lafe.measure.faithfulness.registry import FaithfulnessError, Order


def test_the_most_confused_pairs_share_most_probability() -> None:
    labels = torch.tensor([0, 0, 1, 2, 3])
    probabilities = torch.tensor(
        [
            [0.6, 0.4, 0.0, 0.0],
            [0.8, 0.0, 0.2, 0.0],  # class 0 gives 0.2 to 1, and 0.1 to 2
            [0.1, 0.5, 0.0, 0.4],
            [0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.15, 0.85],
        ]
    )
    # 1-3: 0.4 + 0, 0-1: 0.2 + 0.1, 2-3: 0.15, 0-2: 0.1
    assert most_confused(probabilities, labels, 3) == {1: [3, 0], 3: [1, 2], 0: [1], 2: [3]}
    assert most_confused(probabilities, labels, 1) == {1: [3], 3: [1]}


def test_a_part_differs_where_most_people_saw_another_look() -> None:
    groups = ("throat_color", "throat_color", "wing_color", "wing_color")
    values = ("black", "blue", "brown", "grey")
    seen = np.array([[80, 10, 60, 30], [20, 70, 55, 45]], dtype=float)
    attributes = Attributes(groups, values, seen, {"a": 0, "b": 1})
    assert differing(attributes, "a", "b") == {"throat"}


def test_shares_by_hand() -> None:
    beak, tail = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    beak[0, 0] = tail[3] = True
    assert union({"beak": beak, "tail": tail}, {"beak", "tail"}).sum() == 5
    assert not union({"beak": beak}, set()).any()
    assert shares([0.2, 0.6], [beak, tail]) == Shares(0.2, 0.6, pytest.approx(0.25))
    hidden = shares([0.0, 0.6], [np.zeros((4, 4), bool), tail])
    assert hidden == Shares(None, 0.6, None)
    both = mean_shares([Shares(0.2, 0.6, 0.25), Shares(None, 0.4, None)])
    assert both == Shares(0.2, 0.5, 0.25)


def test_a_claim_is_of_the_evidence_for_one_class_rather_than_each_other() -> None:
    photo = prepare(tiny_model(), photos(1))
    masks = {"beak": np.zeros((SIZE, SIZE), bool), "tail": np.zeros((SIZE, SIZE), bool)}
    masks["beak"][:40], masks["tail"][60:] = True, True
    maps = Maps(photo, "x.png", 0)
    rivals = {1: frozenset({"beak"}), 3: frozenset({"tail", "wing"})}  # no wing is seen
    found = claim(maps, masks, ("evidence-dis", "centre"), 2, rivals)
    expected = []
    for other, part in ((1, "beak"), (3, "tail")):
        heat = np.clip(maps.of("evidence-dis", 2, other) - max(
            maps.of("evidence-dis", 2, other).min(), 0), 0, None)  # fmt: skip
        if heat.any():  # else nothing speaks for the one rather than the other
            expected.append(heat[masks[part]].sum() / heat.sum())
    assert expected
    assert found["evidence-dis"].differing == pytest.approx(np.mean(expected), rel=1e-4)
    area = np.mean([masks["beak"].mean(), masks["tail"].mean()])
    assert found["area"].differing == pytest.approx(area)
    assert set(found) == {"area", "evidence-dis", "centre"}
    assert np.array_equal(maps.of("centre", 0), maps.of("centre", 4, 1))
    assert not np.array_equal(maps.of("random", 0), maps.of("random", 1))
    assert np.array_equal(maps.of("random", 0), Maps(photo, "x.png", 0).of("random", 0))


def test_a_model_of_photos_needs_their_folder(tmp_path: Path) -> None:
    from lafe.checkpoints.store import save
    from lafe.measure.faithfulness.part_scores import measure

    save(tiny_model(), tmp_path / "birds", list("abcde"), recipe={"data": "cub"})
    with pytest.raises(FaithfulnessError, match="needs --data, the folder of CUB-200-2011"):
        measure(Order(tmp_path / "birds"))
