"""The models and the photo of most tests of explanations."""

from __future__ import annotations

import pytest
from tiny import VARIANTS, photos, tiny_model
from torch import Tensor

from lafe import LAFE


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def model(request: pytest.FixtureRequest) -> LAFE:
    """A model of every variant in turn."""
    return tiny_model(**request.param)


@pytest.fixture(scope="module")
def full() -> LAFE:
    return tiny_model()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return photos(1)
