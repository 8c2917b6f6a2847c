"""Weighted ROC curves, their areas and background rejections, with statistical errors.

Scores may be on any scale: everything here depends on their order alone. Ties count half, as in the rank
statistic of Mann and Whitney (Ann. Math. Stat. 18 (1947) 50), which the area under the ROC curve is:
``AUC = P(s_S > s_B) + P(s_S = s_B) / 2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetlens.errors import NoEventsError

Floats = NDArray[np.float64]

LIMIT_CONFIDENCE = 0.95
"""Confidence level of the limit that is quoted where no background event passes."""
QUANTILES_68 = (15.865525393145708, 84.13447460685429)
"""Percentiles of a central interval of one Gaussian standard deviation."""


@dataclass(frozen=True)
class RocCurve:
    """Efficiencies of the cut ``score ≥ threshold``, from the tightest (nothing passes) to the loosest
    (all do).

    Attributes:
        threshold: (K + 1,) descending; the first is +∞.
        signal: (K + 1,) weighted share of the signal that passes.
        background: (K + 1,) weighted share of the background that passes.
    """

    threshold: Floats
    signal: Floats
    background: Floats

    def tightest(self, efficiency: float) -> int:
        """Return the index of the tightest cut that keeps at least a share ``efficiency`` of the signal."""
        return int(np.argmax(self.signal >= efficiency * (1 - 1e-12)))


@dataclass(frozen=True)
class Rejection:
    """Background rejection 1/ε_B of the tightest cut that keeps at least the wanted share of the signal.

    Attributes:
        value: 1/ε_B, or its lower limit at 95 % confidence where no background passes.
        error: statistical error (binomial, weighted); None for a limit.
        is_limit: True where no background event passes and ``value`` is a lower limit.
        signal_efficiency: what the cut really keeps, at least the wanted share.
        background_efficiency: ε_B of the cut, 0 for a limit.
        passing: background events that pass, unweighted.
        threshold: the cut.
    """

    value: float
    error: float | None
    is_limit: bool
    signal_efficiency: float
    background_efficiency: float
    passing: int
    threshold: float


def roc_curve(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> RocCurve:
    """Return the weighted ROC curve, one point per distinct score.

    Args:
        scores: (N,) classifier output, larger for signal.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    s, signal, w = _arrays(scores, label, weight)
    order = np.argsort(-s, kind="stable")
    s, signal, w = s[order], signal[order], w[order]
    last_of_tie = np.append(s[1:] != s[:-1], True)
    passing_signal = np.cumsum(np.where(signal, w, 0.0))[last_of_tie]
    passing_background = np.cumsum(np.where(signal, 0.0, w))[last_of_tie]
    return RocCurve(
        threshold=np.concatenate([[np.inf], s[last_of_tie]]),
        signal=np.concatenate([[0.0], passing_signal / passing_signal[-1]]),
        background=np.concatenate([[0.0], passing_background / passing_background[-1]]),
    )


def auc(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return the area under the weighted ROC curve; arguments and errors as in :func:`roc_curve`."""
    s, signal, w = _arrays(scores, label, weight)
    counts = np.ones((1, len(s)))
    return float(_auc_of_counts(s, signal, w, counts)[0])


def background_rejection(
    scores: ArrayLike, label: ArrayLike, efficiency: float, weight: ArrayLike | None = None
) -> Rejection:
    """Return the background rejection at a signal efficiency, with its statistical error.

    The error is that of a weighted binomial share at a fixed cut,
    σ²(ε) = [Σ_pass w² (1 − ε)² + Σ_fail w² ε²] / (Σ w)². Where no background event passes the result is
    the lower limit at 95 % confidence for (Σ w)² / Σ w² effective trials (Clopper and Pearson, Biometrika
    26 (1934) 404).

    Args:
        scores: (N,) classifier output, larger for signal.
        label: (N,) 1 signal, 0 background.
        efficiency: wanted signal efficiency, between 0 and 1.
        weight: (N,) event weights; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    s, signal, w = _arrays(scores, label, weight)
    curve = roc_curve(s, signal, w)
    point = curve.tightest(efficiency)
    threshold, kept = float(curve.threshold[point]), float(curve.signal[point])
    passes = s[~signal] >= threshold
    w = w[~signal]
    share = float(w[passes].sum() / w.sum())
    if not passes.any() or share <= 0:
        trials = w.sum() ** 2 / (w**2).sum()
        limit = 1 / (1 - (1 - LIMIT_CONFIDENCE) ** (1 / trials))
        return Rejection(float(limit), None, True, kept, 0.0, int(passes.sum()), threshold)
    variance = ((w[passes] ** 2).sum() * (1 - share) ** 2 + (w[~passes] ** 2).sum() * share**2) / w.sum() ** 2
    return Rejection(
        value=1 / share,
        error=float(np.sqrt(variance)) / share**2,
        is_limit=False,
        signal_efficiency=kept,
        background_efficiency=share,
        passing=int(passes.sum()),
        threshold=threshold,
    )


def resample(label: ArrayLike, replicas: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Draw bootstrap replicas, within each class separately so that none is ever empty.

    Returns:
        (replicas, N) how often each event is drawn; events keep their weights when drawn.
    """
    signal = np.asarray(label).astype(bool)
    counts = np.zeros((replicas, len(signal)), dtype=np.uint16)
    for members in (np.flatnonzero(signal), np.flatnonzero(~signal)):
        number = len(members)
        drawn = rng.integers(0, max(number, 1), size=(replicas, number))
        drawn += number * np.arange(replicas)[:, None]
        counts[:, members] = np.bincount(drawn.ravel(), minlength=replicas * number).reshape(replicas, number)
    return counts


def auc_replicas(
    scores: ArrayLike, label: ArrayLike, counts: NDArray[np.uint16], weight: ArrayLike | None = None
) -> Floats:
    """Return the AUC of every bootstrap replica.

    Args:
        scores: (N,) classifier output.
        label: (N,) 1 signal, 0 background.
        counts: (R, N) from :func:`resample`.
        weight: (N,) event weights; default: all events count the same.

    Returns:
        (R,) areas.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    s, signal, w = _arrays(scores, label, weight)
    block = max(1, 4_000_000 // len(s))  # about 100 MB at a time
    parts = [_auc_of_counts(s, signal, w, counts[i : i + block]) for i in range(0, len(counts), block)]
    return np.concatenate(parts)


def interval_68(replicas: ArrayLike) -> tuple[float, float]:
    """Return the central 68.27 % interval (percentile bootstrap; Efron, Ann. Stat. 7 (1979) 1)."""
    low, high = np.percentile(np.asarray(replicas, dtype=np.float64), QUANTILES_68)
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """Difference of two variants' AUC, each the mean over its training seeds.

    Attributes:
        value: first minus second.
        interval: 68 % interval over test events and training seeds together.
        error_events: standard deviation over resampled test events, with the seeds as they are.
        probability: share of replicas with the sign of ``value``.
    """

    value: float
    interval: tuple[float, float]
    error_events: float
    probability: float


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    label: ArrayLike,
    *,
    replicas: int,
    seed: int,
    weight: ArrayLike | None = None,
) -> Difference:
    """Compare two variants on the same test events by a paired bootstrap.

    Each replica draws test events (the same for both variants, so that their common fluctuation cancels)
    and, for each variant by itself, training seeds. Seeds are few, k, and resampling them understates the
    variance of their mean by (k − 1)/k; deviations due to seeds are scaled up accordingly. With a single
    seed only events are resampled.

    Args:
        first: (S₁, N) scores of the first variant's seeds.
        second: (S₂, N) scores of the second variant's seeds, same events.
        label: (N,) 1 signal, 0 background.
        replicas: number of bootstrap replicas.
        seed: of the random numbers.
        weight: (N,) event weights; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    rng = np.random.default_rng(seed)
    counts = resample(label, replicas, rng)
    means, over_events, over_both = [], [], []
    for scores in (np.atleast_2d(np.asarray(first)), np.atleast_2d(np.asarray(second))):
        areas = np.stack([auc_replicas(row, label, counts, weight) for row in scores])
        number = len(areas)
        centre = areas.mean(axis=0)
        drawn = rng.integers(0, number, size=(number, replicas))
        shift = np.take_along_axis(areas, drawn, axis=0).mean(axis=0) - centre
        means.append(float(np.mean([auc(row, label, weight) for row in scores])))
        over_events.append(centre)
        over_both.append(centre + shift * np.sqrt(number / max(number - 1, 1)))
    value = means[0] - means[1]
    both = over_both[0] - over_both[1]
    same_sign = both > 0 if value > 0 else both < 0
    return Difference(
        value=value,
        interval=interval_68(both),
        error_events=float(np.std(over_events[0] - over_events[1], ddof=1)),
        probability=float(np.mean(same_sign | (both == 0) & (value == 0))),
    )


def _auc_of_counts(s: Floats, signal: NDArray[np.bool_], w: Floats, counts: NDArray[Any]) -> Floats:
    """Mann–Whitney areas for (R, N) event counts: signal weight times the background weight below it."""
    order = np.argsort(s, kind="stable")
    s, signal = s[order], signal[order]
    first_of_tie = np.flatnonzero(np.append(True, s[1:] != s[:-1]))
    drawn = counts[:, order] * w[order]
    of_signal = np.add.reduceat(np.where(signal, drawn, 0.0), first_of_tie, axis=1)
    of_background = np.add.reduceat(np.where(signal, 0.0, drawn), first_of_tie, axis=1)
    below = np.cumsum(of_background, axis=1) - 0.5 * of_background
    total = of_signal.sum(axis=1) * of_background.sum(axis=1)
    return np.asarray((of_signal * below).sum(axis=1) / total, dtype=np.float64)


def _arrays(
    scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    s = np.asarray(scores, dtype=np.float64)
    signal = np.asarray(label).astype(bool)
    w = np.ones(len(s)) if weight is None else np.asarray(weight, dtype=np.float64)
    for name, members in (("signal", signal), ("background", ~signal)):
        if not w[members].sum() > 0:
            raise NoEventsError(
                f"no {name} event (or no weight) among {len(s)} events; a ROC curve needs both classes, "
                f"give more events or fewer cuts"
            )
    return s, signal, w
