"""What is padded for a compiler's sake changes no score."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.trained.predict import rounded


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_rounding_adds_masked_slots_and_repeated_events_only(
    events: int, first: int, second: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    inputs = {
        "a": rng.normal(size=(events, first, 3)),
        "a_mask": rng.random((events, first)) < 0.5,
        "b": rng.normal(size=(events, second, 2)),
        "b_mask": rng.random((events, second)) < 0.5,
        "event": rng.normal(size=(events, 4)),
    }
    free = [name for name in inputs if name != "event"]
    found = rounded(inputs, free)
    assert len({array.shape[0] for array in found.values()}) == 1
    assert len({found[name].shape[1] for name in free}) == 1
    for name, array in inputs.items():
        slots = array.shape[1]
        assert np.array_equal(found[name][:events, :slots], array)
        assert not found[name][:, slots:].any()
        assert all(np.array_equal(row, found[name][events - 1]) for row in found[name][events:])
    for size in (len(found["a"]), found["a"].shape[1]):
        assert size & (size - 1) == 0
