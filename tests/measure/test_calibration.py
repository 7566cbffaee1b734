"""Temperatures against SciPy's minimiser."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

import lafe
from lafe.branches import Switches
from lafe.checkpoints.store import save
from lafe.data import PhotoDataset, load_benchmark
from lafe.measure.calibration import COLDEST, HOTTEST, calibrate, fit_temperatures
from tests.tiny import some_settings, tiny_model


@pytest.fixture
def squares(tmp_path: Path) -> PhotoDataset:
    """10 pictures of noise in each of five classes."""
    g = np.random.default_rng(0)
    for name in "abcde":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            small = Image.fromarray(g.integers(0, 255, (5, 5, 3), dtype=np.uint8))
            small.resize((96, 96)).save(tmp_path / "photos" / name / f"{i}.png")
    return load_benchmark("folder", tmp_path / "photos", "trainval")


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


def test_each_setting_of_a_model_gets_the_temperature_of_its_own_logits(
    squares: PhotoDataset, tmp_path: Path
) -> None:
    model = lafe.load(save(tiny_model(), tmp_path / "tiny", squares.classes))
    x = torch.cat([model.preprocess(squares.photo(i)) for i in range(len(squares))])
    with torch.no_grad():
        y = model(x).argmax(1)
    y[::3] = (y[::3] + 1) % 5  # wrong about a third
    found = calibrate(model, replace(squares, labels=y.tolist()))
    assert found.shape == (4096,)
    for switches in (*some_settings(6), Switches.all(), Switches.none()):
        with torch.no_grad():
            z = model(x, switches).double()

        def loss(u: float, z: Tensor = z) -> float:
            return float(F.cross_entropy(z / 2.0**u, y))

        best = minimize_scalar(loss, bounds=(-5, 5), method="bounded")
        # Where the likelihood is flat, a temperature matters as little.
        assert loss(math.log2(float(found[switches.index]))) == pytest.approx(best.fun, abs=1e-4)
    assert len(found.unique()) > 1000
