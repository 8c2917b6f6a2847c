from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.events.arrays import by_falling_pt, padded, wrap_phi

momenta = st.floats(0, 1e5, width=32) | st.sampled_from([0.0, -0.0, 1.0, 1.0])


@given(st.lists(st.lists(momenta, max_size=8), max_size=6), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=150, deadline=None)
def test_order_agrees_with_a_stable_sort(jets: list[list[float]], precision: type) -> None:
    owner = np.repeat(np.arange(len(jets)), [len(jet) for jet in jets]).astype(np.int64)
    pt = np.array([x for jet in jets for x in jet], dtype=precision)
    order, offsets = by_falling_pt(owner, pt, len(jets))
    start, expected = 0, []
    for jet in jets:
        expected += [start + k for k in sorted(range(len(jet)), key=lambda k, jet=jet: -np.float32(jet[k]))]
        start += len(jet)
    assert order.tolist() == expected
    assert offsets.tolist() == np.cumsum([0] + [len(jet) for jet in jets]).tolist()


@pytest.mark.parametrize("size", [4095, 4096, 6000])
def test_jets_of_very_many_constituents(size: int) -> None:
    pt = np.random.default_rng(size).exponential(1, 2 * size).astype(np.float32)
    order, _ = by_falling_pt(np.repeat([0, 1], size), pt, 2)
    for jet in (order[:size], order[size:]):
        assert (np.diff(pt[jet]) <= 0).all()
    assert sorted(order.tolist()) == list(range(2 * size))


def test_padding_keeps_the_first_and_says_what_is_real() -> None:
    values, mask = padded(ak.Array([[3, 2, 1], [], [5]]), 2)
    assert mask.tolist() == [[True, True], [False, False], [True, False]]
    assert values.tolist() == [[3, 2], [0, 0], [5, 0]]
    assert padded(ak.Array([[1.0, 2.0], [3.0]])[::-1], 2)[0].tolist() == [[3, 0], [1, 2]]


@given(st.floats(-50, 50))
@settings(max_examples=200, deadline=None)
def test_wrapped_angles_stay_the_same_direction(phi: float) -> None:
    wrapped = wrap_phi(np.array([phi]))[0]
    assert -np.pi < wrapped <= np.pi
    assert np.isclose(np.cos(wrapped), np.cos(phi), atol=1e-9)
    assert np.isclose(np.sin(wrapped), np.sin(phi), atol=1e-9)


def test_wrapping_leaves_angles_inside_untouched() -> None:
    phi = np.array([-3.1415, 0.0, 3.1415], dtype=np.float32)
    assert np.array_equal(wrap_phi(phi), phi)
    assert wrap_phi(np.array([-np.pi]))[0] == np.pi
