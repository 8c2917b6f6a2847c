"""Intervals and p-values against tables, limiting cases and other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from jetlens import statistics as own


def test_garwood_as_tabulated() -> None:
    """Rounded values of the Review of Particle Physics: 68.27 % intervals for n = 0, 1, 3, 10; 90 % for 4."""
    low, high = own.garwood([0, 1, 3, 10])
    np.testing.assert_allclose(low, [0, 0.173, 1.367, 6.891], atol=6e-4)
    np.testing.assert_allclose(high, [1.841, 3.300, 5.918, 14.267], atol=6e-4)
    assert own.garwood(4, 0.9)[0] == pytest.approx(1.37, abs=0.01)
    assert own.garwood(0, 0.9)[1] == pytest.approx(3.00, abs=0.01)


@given(st.floats(0.05, 40))
def test_garwood_covers_exactly(mean: float) -> None:
    n = np.arange(200)
    low, high = own.garwood(n)
    assert poisson.pmf(n, mean)[(low <= mean) & (mean <= high)].sum() >= own.ONE_SIGMA - 1e-6


@given(st.integers(0, 30), st.integers(0, 30))
def test_binomial_ends_leave_equal_tails(passing: int, failing: int) -> None:
    from scipy.stats import binom

    n = max(1, passing + failing)
    k = min(passing, n)
    low, high = own.clopper_pearson(k, n)
    tail = (1 - own.ONE_SIGMA) / 2
    assert low == 0 if k == 0 else binom.sf(k - 1, n, low) == pytest.approx(tail)
    assert high == 1 if k == n else binom.cdf(k, n, high) == pytest.approx(tail)


@given(st.integers(0, 50), st.floats(1e-6, 1e9))
def test_equal_weights_give_garwood_scaled(count: int, weight: float) -> None:
    found = own.weighted_yield(np.full(count, weight), weight)
    low, high = own.garwood(count)
    assert (found.low, found.high) == pytest.approx((low * weight, high * weight))
    assert found.limit == pytest.approx(own.garwood(count, 0.9)[1] * weight)
    assert found.n_effective == pytest.approx(count)


def test_nothing_passing_is_no_yield_of_zero() -> None:
    """Zero of 110 multijet events that stand for 1.58e8 each: below 4.7e8, not below what others contribute."""
    assert own.weighted_yield([], own.typical_weight(np.full(110, 1.58e8))).limit == pytest.approx(
        4.73e8, rel=1e-3
    )
    assert own.weighted_yield([], own.typical_weight([])).limit == np.inf


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(own.holm([0.04, 0.01, 0.03]), [0.06, 0.03, 0.06])
    assert own.holm([]).size == 0
    np.testing.assert_allclose(own.holm([0.9, 0.8]), [1, 1])


def test_few_seeds_widen_the_interval() -> None:
    alone = own.combine_spreads(4.0, [], [])
    assert (alone.error, alone.sigma) == pytest.approx((2, 2), rel=1e-6)
    two = own.combine_spreads(0.0, [1.0], [1.0])  # |t₁| < tan(0.6827 π/2)
    assert two.error == pytest.approx(np.tan(own.ONE_SIGMA * np.pi / 2))
    assert two.p_value(two.error) == pytest.approx(1 - own.ONE_SIGMA)
    assert own.gaussian_z(two.p_value(two.error)) == pytest.approx(1, abs=1e-6)
    assert own.gaussian_z(2 * norm.sf(3.0)) == pytest.approx(3)
