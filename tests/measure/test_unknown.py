"""Scores of the unknown compared, by hand."""

from dataclasses import replace

import torch

from lafe.measure import unknown


def test_the_threshold_accepts_95_of_100_and_the_best_score_catches_most() -> None:
    own = torch.arange(100.0)
    good, bad = "class_means", "energy"
    compared = unknown.compare(
        {good: own, bad: own},
        {good: torch.tensor([0.0, 50, 60, 70]), bad: torch.tensor([1.0, 2, 3, 70])},
        {
            "cars": {good: torch.tensor([1.0, 2.0]), bad: torch.tensor([3.0, 50.0])},
            "aircraft": {good: torch.tensor([1.0, 9.0]), bad: torch.tensor([3.0, 2.0])},
        },
    )
    assert int((own < compared[good].threshold).sum()) == 5
    assert compared[good].own_test_refused == 0.25
    assert compared[bad].own_test_refused == 0.75
    assert compared[good].caught == {"cars": 1.0, "aircraft": 0.5}
    assert compared[bad].caught == {"cars": 0.5, "aircraft": 1.0}
    compared[bad] = replace(compared[bad], caught={"cars": 0.75, "aircraft": 1.0})
    assert unknown.best(compared) == bad
    nothing = unknown.compare({good: own, bad: own}, {good: own, bad: own}, {})
    assert unknown.best(nothing) == good
