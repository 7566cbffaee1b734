"""Stand-ins for gates: what each branch gets is its own."""

import torch

from lafe import Switches
from lafe.branches import EVERY_BRANCH
from lafe.explain.controls import Controls


def test_every_branch_is_shuffled_in_an_order_of_its_own() -> None:
    gate = torch.arange(49.0).view(1, 1, 7, 7)
    orders = set()
    for seed in (0, 1):
        controls = Controls(shuffled=Switches.all(), seed=seed)
        for key in EVERY_BRANCH:
            shuffled = controls.apply(*key, gate)
            assert torch.equal(shuffled, controls.apply(*key, gate))
            assert torch.equal(shuffled.flatten().sort().values, gate.flatten())
            orders.add(tuple(shuffled.flatten().tolist()))
    assert len(orders) == 2 * len(EVERY_BRANCH)
