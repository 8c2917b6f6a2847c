import math

import numpy as np
import pyhf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetlens.inference.asimov import asimov_significance, significance_error


def literal(s, b, sigma):
    """The formula as printed in Cowan et al., in higher precision than float."""
    from decimal import Decimal, getcontext

    getcontext().prec = 60
    s, b, v = Decimal(s), Decimal(b), Decimal(sigma) ** 2
    first = (s + b) * ((s + b) * (b + v) / (b * b + (s + b) * v)).ln()
    second = b * b / v * (1 + v * s / (b * (b + v))).ln()
    return float((2 * (first - second)).sqrt())


@given(st.floats(1e-3, 1e4), st.floats(0.1, 1e6), st.floats(0.01, 0.5))
def test_formula(s, b, relative):
    assert asimov_significance(s, b, relative * b) == pytest.approx(literal(s, b, relative * b), rel=2e-4)


def test_without_uncertainty():
    assert asimov_significance(10, 100) == pytest.approx(math.sqrt(2 * (110 * math.log(1.1) - 10)))
    assert asimov_significance(10, 100, 1e-9) == pytest.approx(asimov_significance(10, 100))


@given(st.floats(0.1, 100), st.floats(1, 1e4), st.floats(0.0, 0.3))
def test_uncertainty_never_helps_and_signal_never_hurts(s, b, relative):
    z = asimov_significance(s, b, relative * b)
    assert z <= asimov_significance(s, b) * (1 + 1e-6)
    assert asimov_significance(1.5 * s, b, relative * b) > z


def test_small_signal_is_s_over_root_b():
    assert asimov_significance(1, 1e6, 0) == pytest.approx(1e-3, rel=1e-4)
    assert asimov_significance(1, 1e6, 1e5) == pytest.approx(1 / math.sqrt(1e6 + 1e10), rel=1e-4)


def test_no_background_says_nothing():
    assert np.isnan(asimov_significance(5, 0))


def test_error_matches_repeated_simulations():
    rng = np.random.default_rng(2)
    s, ds, b, db = 50.0, 2.0, 400.0, 15.0
    z = asimov_significance(
        rng.normal(s, ds, 4000), b + (shifts := rng.normal(0, db, 4000)), 0.1 * (b + shifts)
    )
    assert significance_error(s, ds, b, db, 0.1) == pytest.approx(z.std(), rel=0.1)


@pytest.mark.parametrize(("s", "b", "relative"), [(10.0, 50.0, 0.2), (5.0, 100.0, 0.1), (30.0, 20.0, 0.4)])
def test_formula_is_the_discovery_in_one_bin_of_pyhf(s, b, relative):
    """A background measured to σ is one count of (b/σ)² elsewhere, in the formula and in pyhf's shapesys."""
    model = pyhf.simplemodels.uncorrelated_background([s], [b], [relative * b])
    data = model.expected_data(model.config.suggested_init())
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))
    q0 = pyhf.infer.test_statistics.q0(
        0.0,
        data,
        model,
        model.config.suggested_init(),
        model.config.suggested_bounds(),
        model.config.suggested_fixed(),
    )
    assert asimov_significance(s, b, relative * b) == pytest.approx(np.sqrt(float(q0)), rel=1e-4)
