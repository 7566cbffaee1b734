"""The model and the photos of tests of whole passes."""

from __future__ import annotations

import pytest
from tiny import photos, tiny_model
from torch import Tensor

from lafe import LAFE


@pytest.fixture(scope="module")
def model() -> LAFE:
    return tiny_model()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return photos()
