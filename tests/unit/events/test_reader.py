from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jetlens.events.reader import Constituents, by_falling_pt, is_b_tagged

from jetlens.events.jagged import Jagged

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


def test_padding_keeps_the_hardest_and_says_what_is_real() -> None:
    columns = {name: np.array([3, 2, 1, 5], dtype=np.float32) for name in ("pt", "eta", "phi", "mass")}
    constituents = Constituents(Jagged(np.array([0, 3, 3, 4]), columns), 4, 4)
    values, mask = constituents.padded(2)
    assert mask.tolist() == [[True, True], [False, False], [True, False]]
    assert values[:, :, 0].tolist() == [[3, 2], [0, 0], [5, 0]]
    assert np.isclose(values[2, 0, 3], np.hypot(5 * np.cosh(5), 5))
    assert not values[~mask].any()


def test_the_first_working_point_alone_is_a_tag() -> None:
    assert is_b_tagged(np.array([0, 1, 2, 3, 4, 7], dtype=np.int32)).tolist() == [False, True] * 2 + [
        False,
        True,
    ]
    assert is_b_tagged(np.zeros(0, dtype=np.float32)).dtype == bool
