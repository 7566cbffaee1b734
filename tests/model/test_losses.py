"""Eq. 8-10, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lafe.model.losses import ConLoss, cls_loss, dis_loss, pair_mask, smoothed


def maps(pooled: list[list[float]]) -> Tensor:
    """Maps of 2 x 2 regions whose means are given: GAP has something to do."""
    spread = torch.tensor([[1.0, -1.0], [3.0, -3.0]])
    return torch.tensor(pooled)[:, :, None, None] + spread


def test_neighbours_with_one_label_are_pairs() -> None:
    assert pair_mask(torch.tensor([4, 4, 1, 2, 2, 2, 2])).tolist() == [True, False, True]
    assert pair_mask(torch.tensor([7])).tolist() == []


def test_dis_loss_by_hand() -> None:
    D = maps([[1, 2], [4, 0], [5, 5], [5.5, 7]])
    labels = torch.tensor([0, 0, 3, 3])
    # |1-4|, |2-0|, |5-5.5|, |5-7|, and their mean (Eq. 8).
    assert float(dis_loss(D, labels)) == pytest.approx((3 + 2 + 0.5 + 2) / 4)


def test_a_photo_without_a_partner_is_left_out() -> None:
    D = maps([[1, 2], [4, 0], [100, -9], [3, 3], [50, 50]]).requires_grad_()
    # 2 and 3 are neighbours of two classes; 4 has no neighbour, though its class is that of 3.
    loss = dis_loss(D, torch.tensor([0, 0, 1, 2, 2]))
    assert loss.item() == pytest.approx((3 + 2) / 2)
    loss.backward()
    assert D.grad is not None
    assert D.grad[:2].all()
    assert not D.grad[2:].any()


@pytest.mark.parametrize("labels", [[0, 1], [0], [0, 1, 1]])
def test_without_any_pair_dis_loss_is_zero_and_can_be_trained_on(labels: list[int]) -> None:
    D = maps([[1.0, 2.0], [4.0, 0.0], [5.0, 5.0]][: len(labels)]).requires_grad_()
    loss = dis_loss(D, torch.tensor(labels))
    assert loss.item() == 0
    loss.backward()
    assert D.grad is not None
    assert not D.grad.any()


def test_con_loss_by_hand() -> None:
    con = ConLoss(2, 3)
    con.fc.weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    con.fc.bias.data = torch.tensor([0.0, 0.5, -1.0])
    # FC(GAP(C)): (2, -1.5, 0) and (0, 4.5, 1); |. - 1|: 1, 2.5, 1 and 1, 3.5, 0 (Eq. 9).
    assert float(con(maps([[2.0, -1.0], [0.0, 2.0]]))) == pytest.approx((4.5 + 4.5) / 6)


def test_the_printed_con_loss_is_zero_without_any_map() -> None:
    """Why L_con alone trains nothing: zero weights and a bias of one."""
    con = ConLoss(2, 3)
    torch.nn.init.zeros_(con.fc.weight)
    torch.nn.init.ones_(con.fc.bias)
    C = maps([[2.0, -1.0]]).requires_grad_()
    loss = con(C)
    loss.backward()
    assert float(loss) == 0
    assert C.grad is not None
    assert not C.grad.any()


def test_cls_loss_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    total = [math.e + math.e**2 + 1, 2 + math.e**3]
    log_p = [[1 - math.log(total[0]), 2 - math.log(total[0]), -math.log(total[0])],
             [-math.log(total[1]), -math.log(total[1]), 3 - math.log(total[1])]]  # fmt: skip
    labels = torch.tensor([1, 0])
    assert float(cls_loss(logits, labels)) == pytest.approx(-(log_p[0][1] + log_p[1][0]) / 2)
    # Smoothing of 0.3 over three classes: 0.8 on the label, 0.1 on each of the others.
    smooth = [0.8 * log_p[0][1] + 0.1 * (log_p[0][0] + log_p[0][2]),
              0.8 * log_p[1][0] + 0.1 * (log_p[1][1] + log_p[1][2])]  # fmt: skip
    assert float(cls_loss(logits, smoothed(labels, 3, 0.3))) == pytest.approx(-sum(smooth) / 2)
