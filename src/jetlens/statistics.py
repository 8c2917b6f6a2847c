"""Intervals, limits and p-values, written once for every stage that quotes an error.

``confidence`` is that of a central interval; limits are one-sided. How often each interval holds the truth is
measured by ``benchmarks/coverage.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# all that scipy.stats would be asked for; to import that takes a second, in every step
from scipy.special import betaincinv, chdtri, erf, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]

ONE_SIGMA = float(erf(np.sqrt(0.5)))
"""Confidence of ± one Gaussian standard deviation, 0.6827."""
LIMIT_CONFIDENCE = 0.95
"""Confidence of one-sided limits."""


def effective_events(weight: ArrayLike) -> float:
    """Return (Σw)² / Σw²: the number of events of equal weight with the same relative error; 0 without any."""
    w = np.asarray(weight, dtype=np.float64)
    squared = float((w**2).sum())
    return float(w.sum()) ** 2 / squared if squared > 0 else 0.0


def garwood(count: ArrayLike, confidence: float = ONE_SIGMA) -> tuple[Floats, Floats]:
    """Return the central interval of a Poisson mean (Garwood, Biometrika 28 (1936) 437).

    Args:
        count: observed events, not negative; need not be whole.
        confidence: at least this share of such intervals holds the mean, whatever it is.

    Returns:
        Lower and upper ends, of the shape of ``count``; the lower is 0 where nothing was observed.
    """
    n = np.asarray(count, dtype=np.float64)
    tail = (1 - confidence) / 2
    low = np.where(n > 0, chdtri(np.where(n > 0, 2 * n, 1.0), 1 - tail) / 2, 0.0)
    return low, np.asarray(chdtri(2 * n + 2, tail) / 2, dtype=np.float64)


def clopper_pearson(
    passing: ArrayLike, trials: ArrayLike, confidence: float = ONE_SIGMA
) -> tuple[Floats, Floats]:
    """Return the central interval of a binomial share (Clopper and Pearson, Biometrika 26 (1934) 404).

    Args:
        passing: k; need not be whole, as with effective numbers.
        trials: n ≥ k.
        confidence: at least this share of such intervals holds the truth.
    """
    k, n = np.broadcast_arrays(np.asarray(passing, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(np.where(k > 0, k, 1.0), n - k + 1, tail), 0.0)
        high = np.where(k < n, betaincinv(k + 1, np.where(k < n, n - k, 1.0), 1 - tail), 1.0)
    return low, high


@dataclass(frozen=True)
class Yield:
    """An expected number of events, estimated from weighted simulated ones.

    Attributes:
        events: simulated events that pass.
        n_effective: (Σw)² / Σw² of them.
        value: Σw.
        low: lower end of the central 68 % interval.
        high: its upper end.
        limit: upper limit at 95 % confidence; infinite if the process has no simulated event at all.
    """

    events: int
    n_effective: float
    value: float
    low: float
    high: float
    limit: float


def weighted_yield(weight: ArrayLike, scale: float) -> Yield:
    """Return Σw of passing events with its interval, which is Garwood's, scaled, where all weights are equal.

    The interval is the one of Fay and Feuer (Stat. Med. 16 (1997) 791) for a weighted sum of Poisson counts: χ²
    quantiles of a gamma distribution with mean and variance of the sum, for the upper end of the sum with one more
    event of weight ``scale``. With nothing passing it is ``scale`` times Garwood's for zero. Weights of either sign
    are taken as they are; where they add up to nothing or less, the lower end is 0 or Σw − √Σw².

    Args:
        weight: (n,) weights of the events that pass.
        scale: what one event more would weigh, see :func:`typical_weight`.
    """
    w = np.asarray(weight, dtype=np.float64)
    value, variance = float(w.sum()), float((w**2).sum())
    low, high = gamma_interval(value, variance, scale)
    tail = 2 * LIMIT_CONFIDENCE - 1
    return Yield(
        events=len(w),
        n_effective=effective_events(w),
        value=value,
        low=float(low),
        high=float(high),
        limit=float(gamma_interval(value, variance, scale, tail)[1]),
    )


def gamma_interval(
    value: ArrayLike, variance: ArrayLike, scale: ArrayLike, confidence: float = ONE_SIGMA
) -> tuple[Floats, Floats]:
    """Return the interval of :func:`weighted_yield` from Σw, Σw² and the weight of one event more; of any shape."""
    y, v, s = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (value, variance, scale)))
    tail = (1 - confidence) / 2
    positive = y > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        safe, spread = np.where(positive, y, 1.0), np.where(positive, v, 1.0)
        low = spread / (2 * safe) * chdtri(2 * safe**2 / spread, 1 - tail)
        more, its = np.maximum(y, 0.0) + s, v + s**2
        high = its / (2 * more) * chdtri(2 * more**2 / its, tail)
    low = np.where(positive, low, np.minimum(0.0, y - np.sqrt(v)))
    return low, np.where(np.isfinite(s), high, np.inf)


def typical_weight(weight: ArrayLike) -> float:
    """Return Σw² / Σ|w| of a process's simulated events: what one more of them would weigh; infinite without any."""
    w = np.asarray(weight, dtype=np.float64)
    total = float(np.abs(w).sum())
    return float((w**2).sum()) / total if total > 0 else float("inf")


@dataclass(frozen=True)
class Spread:
    """A mean over events and training seeds, and how well it is known.

    Attributes:
        error: half of the 68 % interval, Student's factor for few seeds included.
        sigma: the standard deviation behind it.
        freedom: degrees of freedom of ``sigma``; infinite with a single seed.
        events: the standard deviation due to events alone.
    """

    error: float
    sigma: float
    freedom: float
    events: float

    def p_value(self, value: float) -> float:
        """Return the two-sided probability of a value as far from 0 as this if the truth is 0 (Student's t)."""
        if self.sigma == 0:
            return 1.0 if value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(value) / self.sigma))


def combine_spreads(
    events: float,
    variance_of_seeds: Sequence[float],
    freedom_of_seeds: Sequence[float],
    freedom_of_events: float = float("inf"),
) -> Spread:
    """Add variances due to events and to seeds; degrees of freedom after Welch and Satterthwaite.

    Args:
        events: variance due to events.
        variance_of_seeds: of the mean over seeds, one entry per set of seeds; estimates may be negative.
        freedom_of_seeds: of each of these estimates, number of seeds − 1.
        freedom_of_events: of the variance due to events; infinite if it is known from many of them.
    """
    variance = max(events / 2, events + sum(variance_of_seeds))
    terms = sum(v**2 / f for v, f in zip(variance_of_seeds, freedom_of_seeds, strict=True) if v > 0)
    terms += events**2 / freedom_of_events
    freedom = variance**2 / terms if terms > 0 else float("inf")
    sigma = float(np.sqrt(variance))
    factor = float(stdtrit(freedom, (1 + ONE_SIGMA) / 2))
    return Spread(factor * sigma, sigma, freedom, float(np.sqrt(events)))


def gaussian_z(p_value: ArrayLike) -> Floats:
    """Return how many Gaussian standard deviations a two-sided p-value stands for, not negative."""
    return np.asarray(-ndtri(np.asarray(p_value, dtype=np.float64) / 2), dtype=np.float64)


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values corrected for the number of comparisons (Holm, Scand. J. Stat. 6 (1979) 65).

    The share of analyses in which any true null hypothesis falls below α is at most α, however the comparisons
    depend on each other.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected
