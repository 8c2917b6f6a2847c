"""Fits of pyhf's models as least squares of deviance residuals.

A Poisson term −2 ln(P(n; ν)/P(n; n)) = 2(ν − n − n ln(ν/n)) is the square of a residual that is smooth in ν, and a
Gaussian constraint is one by itself. So SciPy's trust-region least squares, which knows bounds and curvatures, can do
the fit: with 10⁹ events in a bin the likelihood is 10⁴ times narrower than its constraints, and minimisers that know
only finite differences of its sum, SciPy's SLSQP and Minuit, do not converge; with few events it is faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]
_SERIES = 1e-4
"""Relative deviation of ν from n below which the deviance is its Taylor series."""


def deviance_residuals(counts: Floats, expected: Floats) -> Floats:
    """Return signed roots of 2(ν − n − n ln(ν/n)), (bins,).

    Args:
        counts: n ≥ 0, not necessarily whole.
        expected: ν > 0.
    """
    nu = np.maximum(expected, 1e-300)
    x = np.divide(nu - counts, counts, out=np.full_like(nu, np.inf), where=counts > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.sign(x) * np.sqrt(2 * np.maximum(nu - counts - counts * np.log1p(x), 0.0))
        series = np.sqrt(counts) * x * np.sqrt(1 - 2 * x / 3 + x**2 / 2)
    return np.asarray(np.where(counts > 0, np.where(np.abs(x) < _SERIES, series, exact), np.sqrt(2 * nu)))


class Residuals:
    """The residuals of a model on data: one per bin, one per constraint.

    With a model of pyhf's ``batch_size`` T, data and parameters of T pseudo-experiments are rows.
    """

    def __init__(self, model: pyhf.pdf.Model, data: Sequence[float] | Floats) -> None:
        """Take a model, and its data with auxiliary data."""
        self._model = model
        split = model.config.nmaindata
        counts = np.asarray(data, dtype=np.float64)
        self._data, self._auxiliary = counts[..., :split], counts[..., split:]
        at, factor, gaussian = [], [], []
        for name in model.config.auxdata_order:
            of = model.config.param_set(name)
            poisson = of.pdf_type == "poisson"
            at += list(range(*model.config.par_slice(name).indices(model.config.npars)))
            factor += list(of.factors if poisson else of.width())
            gaussian += [not poisson] * of.n_parameters
        self._at, self._factor = np.array(at, dtype=np.int64), np.array(factor, dtype=np.float64)
        self._gaussian = np.array(gaussian, dtype=bool)

    def __call__(self, parameters: Floats) -> Floats:
        """Return the residuals (…, bins + constraints)."""
        expected = np.asarray(self._model.expected_data(parameters, include_auxdata=False))
        bins = deviance_residuals(self._data, expected)
        own, g = parameters[..., self._at], self._gaussian
        constraints = np.empty(own.shape)
        # a width of zero is a parameter that pyhf holds
        width = np.where(self._factor[g] > 0, self._factor[g], np.inf)
        constraints[..., g] = (own[..., g] - self._auxiliary[..., g]) / width
        counted = own[..., ~g] * self._factor[~g]
        constraints[..., ~g] = deviance_residuals(self._auxiliary[..., ~g], counted)
        return np.concatenate([bins, constraints], axis=-1)


def minimise(
    model: pyhf.pdf.Model,
    data: Sequence[float],
    start: Floats,
    bounds: Sequence[Sequence[float]],
    fixed: NDArray[np.bool_],
) -> tuple[Floats, float, Floats]:
    """Return the parameters at the minimum, the sum of squares there, and their covariance.

    Args:
        model: of P parameters.
        data: counts with auxiliary data.
        start: (P,).
        bounds: lower and upper one of each parameter.
        fixed: (P,) which parameters stay at ``start``.

    Returns:
        Parameters (P,); the deviance, −2 ln L up to a constant of the data; covariance (P, P) from the expected
        information, zero for what is fixed.

    Raises:
        pyhf.exceptions.FailedMinimization: if the fit does not converge.
    """
    residuals, parameters = Residuals(model, data), np.array(start, dtype=np.float64)
    free = np.flatnonzero(~fixed)
    low, high = np.asarray(bounds, dtype=np.float64)[free].T
    covariance = np.zeros((len(parameters), len(parameters)))
    if not len(free):
        return parameters, float((residuals(parameters) ** 2).sum()), covariance

    def of_free(values: Floats) -> Floats:
        full = parameters.copy()
        full[free] = values
        return residuals(full)

    inside = np.clip(parameters[free], low + 1e-9 * (high - low), high - 1e-9 * (high - low))
    found = least_squares(
        of_free, inside, bounds=(low, high), x_scale="jac", ftol=1e-9, xtol=1e-9, gtol=1e-9, max_nfev=500
    )
    if not found.success or not np.isfinite(found.cost):
        raise pyhf.exceptions.FailedMinimization(found)
    parameters[free] = found.x
    covariance[np.ix_(free, free)] = np.linalg.pinv(found.jac.T @ found.jac, rcond=1e-15)
    return parameters, 2 * float(found.cost), covariance


class DevianceOptimizer(pyhf.optimize.scipy_optimizer):  # type: ignore[misc]
    """What :func:`minimise` does, as an optimiser of pyhf."""

    def minimize(
        self,
        objective: Any,
        data: Any,
        pdf: pyhf.pdf.Model,
        init_pars: Sequence[float],
        par_bounds: Sequence[Sequence[float]],
        fixed_vals: Sequence[tuple[int, float]] | None = None,
        return_fitted_val: bool = False,
        **_: Any,
    ) -> Any:
        """Minimise −2 ln L; arguments as pyhf gives them.

        The value at the minimum is the deviance, which differs from −2 ln L by a constant of the data alone: of the
        differences that test statistics are, −2 ln L itself has lost all digits where bins hold 10⁹ events.
        """
        start = np.asarray(init_pars, dtype=np.float64)
        fixed = np.zeros(len(start), dtype=bool)
        for index, value in fixed_vals or ():
            fixed[index], start[index] = True, value
        found, deviance, _covariance = minimise(pdf, np.asarray(data).tolist(), start, par_bounds, fixed)
        return (found, np.float64(deviance)) if return_fitted_val else found
