from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.features.images import average_image, jet_images


@given(st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_against_numpy_histograms(seed: int, pixels: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 20)) < 0.7
    x, y, pt = rng.normal(0, 0.6, (3, 20)), rng.normal(0, 0.6, (3, 20)), rng.exponential(10, (3, 20))
    images = jet_images(x, y, pt, mask, pixels, 1.0)
    for k in range(3):
        own = mask[k] & (np.abs(x[k]) < 1) & (np.abs(y[k]) < 1)
        edges = np.linspace(-1, 1, pixels + 1)
        weights = pt[k] / max(pt[k][mask[k]].sum(), 1e-12)
        expected = np.histogram2d(x[k][own], y[k][own], bins=[edges, edges], weights=weights[own])[0]
        assert np.allclose(images[k], expected, atol=1e-6)
        assert images[k].sum() <= 1 + 1e-5


def test_averages() -> None:
    images = np.stack([np.zeros((2, 2)), np.ones((2, 2))]).astype(np.float32)
    assert np.allclose(average_image(images), 0.5)
    assert np.allclose(average_image(images, np.array([1.0, 3.0])), 0.75)
    assert not average_image(images[:0]).any()
