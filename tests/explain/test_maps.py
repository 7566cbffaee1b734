"""Features as maps: their mean, as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lafe.explain.maps import correlations, map_of


def test_map_of_features_is_their_mean_as_it_is():
    features = torch.randn(6, 4, 5, requires_grad=True)
    expected = np.einsum("chw->hw", features.detach().numpy()) / 6
    for given in (features, features[None], features.double(), features.to(torch.float64)[None]):
        result = map_of(given)
        assert result.shape == (4, 5)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-6)


def test_map_of_half_precision_is_not_summed_in_it():
    features = torch.full((2048, 2, 2), 60.0, dtype=torch.float16)
    np.testing.assert_allclose(map_of(features), 60)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (4, 5), (1, 1, 3, 4, 5)])
def test_features_of_several_photos_are_refused(shape):
    with pytest.raises(ValueError, match="one photo"):
        map_of(torch.zeros(shape))


def test_correlations_by_hand_and_of_flat_maps() -> None:
    a = np.array([[1.0, 2.0], [3.0, 5.0]])
    found = correlations({"a": a, "twice": 2 * a + 1, "minus": -a, "flat": np.ones((2, 2))})
    assert found["a", "twice"] == pytest.approx(1)
    assert found["a", "minus"] == pytest.approx(-1)
    assert found["a", "flat"] is None
    assert len(found) == 6
