"""Temperatures against SciPy's minimiser."""

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from lafe.measure.calibration import COLDEST, HOTTEST, fit_temperatures


def test_each_temperature_has_the_lowest_negative_log_likelihood() -> None:
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (80,), generator=g)
    signal = F.one_hot(labels, 5) * 2.0 + torch.randn(80, 5, generator=g)
    logits = torch.stack([signal * scale for scale in (0.1, 1.0, 3.0, 12.0)])
    found = fit_temperatures(logits, labels)
    for z, t in zip(logits, found.tolist(), strict=True):
        best = minimize_scalar(
            lambda u, z=z: float(F.cross_entropy(z.double() / 2.0**u, labels)),
            bounds=(-5, 5),
            method="bounded",
            options={"xatol": 1e-7},
        )
        assert t == pytest.approx(2.0**best.x, rel=1e-3)
    assert found[1:] / found[0] == pytest.approx(torch.tensor([10.0, 30.0, 120.0]), rel=1e-3)


def test_a_temperature_stays_within_bounds_where_no_photo_or_every_photo_is_right() -> None:
    labels = torch.tensor([0, 1])
    right = torch.tensor([[[9.0, 0.0], [0.0, 9.0]], [[0.0, 9.0], [9.0, 0.0]]])
    cold, hot = fit_temperatures(right, labels).tolist()
    assert COLDEST <= cold < 0.3  # colder ones make no difference in float32
    assert hot == pytest.approx(HOTTEST, rel=1e-2)
    flat = fit_temperatures(torch.zeros(1, 2, 2), labels)
    assert torch.isfinite(flat).all()
