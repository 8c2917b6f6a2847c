"""Expected discovery significance of a counting experiment, with a background uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def asimov_significance(signal: ArrayLike, background: ArrayLike, uncertainty: ArrayLike = 0.0) -> Floats:
    """Return the median discovery significance expected for a counting experiment.

    Z = √(2 [ (s+b) ln( (s+b)(b+σ²) / (b²+(s+b)σ²) ) − (b²/σ²) ln(1 + σ² s / (b (b+σ²)) ) ]), and for σ → 0
    √(2 [(s+b) ln(1+s/b) − s]) (Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727, and Cowan 2012 for σ).

    Args:
        signal: s, expected signal events, not negative.
        background: b, expected background events, above zero.
        uncertainty: σ, absolute uncertainty of b [events].

    Returns:
        Z, of the common shape; NaN where b is zero: nothing can be said then.
    """
    s, b, sigma = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (signal, background, uncertainty))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        # both terms are written as (1 + x) ln(1 + x) − x and the like, so that nothing cancels where s ≪ b
        variance = sigma**2
        known = s + b
        ratio = s * b / (b**2 + known * variance)  # (s+b)(b+σ²) / (b²+(s+b)σ²) − 1
        with_error = known * np.log1p(ratio) - b**2 / variance * np.log1p(variance * s / (b * (b + variance)))
        without = known * np.log1p(s / b) - s
        # below this the first form loses more digits than σ matters
        q = 2 * np.where(variance > 1e-12 * b, with_error, without)
        # s ≪ b: q → s²/(b + σ²), which floating-point differences no longer resolve
        small = s < 1e-5 * b
        q = np.where(small, s**2 / (b + variance), q)
        return np.where(b > 0, np.sqrt(np.maximum(q, 0)), np.nan)


def significance_error(
    signal: float,
    signal_error: float,
    background: float,
    background_error: float,
    relative_uncertainty: float,
) -> float:
    """Propagate the statistical errors of the simulation to Z, to first order.

    Args:
        signal: expected signal events.
        signal_error: its statistical error.
        background: expected background events, above zero.
        background_error: its statistical error.
        relative_uncertainty: σ / b, kept while b varies.
    """

    def z(s: float, b: float) -> float:
        return float(asimov_significance(s, b, relative_uncertainty * b))

    step_s, step_b = 1e-3 * max(signal, 1e-9), 1e-3 * background
    by_signal = (z(signal + step_s, background) - z(signal - step_s, background)) / (2 * step_s)
    by_background = (z(signal, background + step_b) - z(signal, background - step_b)) / (2 * step_b)
    return float(np.hypot(by_signal * signal_error, by_background * background_error))
