"""Weighted ROC curves and their areas, with statistical errors, for event weights of either sign.

Scores may be on any scale: everything here depends on their order alone. Ties count half, as in the rank
statistic of Mann and Whitney (Ann. Math. Stat. 18 (1947) 50), which the area under the ROC curve is:
``AUC = P(s_S > s_B) + P(s_S = s_B) / 2``.

Weights of either sign, as NLO generators give them: an efficiency ε(t) = Σ_{s ≥ t} w / Σ w may then leave [0, 1] and
fall where it must rise, by fluctuation. It is cut to [0, 1] and its values are sorted. This monotone rearrangement is
never further from the true, monotone efficiency than what it came from (Chernozhukov, Fernández-Val, Galichon,
Biometrika 96 (2009) 559), and changes nothing where no weight is negative. ROC curve, area, thresholds and rejections
are those of the rearranged efficiencies, so 0 ≤ AUC ≤ 1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetlens.errors import JetlensWarning, NoEventsError
from jetlens.statistics import Spread, combine_spreads, effective_events

Floats = NDArray[np.float64]

FEW_EVENTS = 25
"""Below this effective number of events a class is too small for figures of merit to mean much."""
CANCELLATION = 0.5
"""Below this share of effective events, weights of opposite sign cancel so far that it is worth a warning."""


@dataclass(frozen=True)
class RocCurve:
    """Efficiencies of the cut ``score ≥ threshold``, from the tightest (nothing passes) to the loosest
    (all do); neither ever falls.

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
class Area:
    """Area under the ROC curve, the mean over training seeds.

    Attributes:
        value: the mean.
        per_seed: (S,) of each seed.
        spread: its error, over test events and seeds together.
        interval: central 68 % interval, symmetric in ln(AUC / (1 − AUC)), so within [0, 1].
    """

    value: float
    per_seed: Floats
    spread: Spread
    interval: tuple[float, float]


def roc_curve(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> RocCurve:
    """Return the weighted ROC curve, one point per distinct score.

    Args:
        scores: (N,) classifier output, larger for signal.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights of either sign; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    s, signal, w = checked(scores, label, weight)
    order = np.argsort(-s, kind="stable")
    s, signal, w = s[order], signal[order], w[order]
    last_of_tie = np.append(s[1:] != s[:-1], True)
    return RocCurve(
        threshold=np.concatenate([[np.inf], s[last_of_tie]]),
        signal=_efficiency(np.where(signal, w, 0.0), last_of_tie),
        background=_efficiency(np.where(signal, 0.0, w), last_of_tie),
    )


def auc(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return the area under the weighted ROC curve, in [0, 1]; arguments and errors as in :func:`roc_curve`."""
    curve = roc_curve(scores, label, weight)
    return float(np.sum(np.diff(curve.signal) * (1 - (curve.background[1:] + curve.background[:-1]) / 2)))


def influence(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Return how far each event moves the area: w (placement − AUC) / Σ_class w.

    The placement is the weighted share of the other class on the right side of the event. Sums of squares over
    events are the variance of DeLong, DeLong and Clarke-Pearson (Biometrics 44 (1988) 837), here for weighted events;
    differences of two classifiers' influences give the variance of their difference. It is the limit of a bootstrap
    within each class with ever more replicas, to first order.

    Args:
        scores: (S, N) classifier output of S networks.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights; default: all events count the same.

    Returns:
        (S, N).

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    result = np.empty_like(rows)
    for row, out in zip(rows, result, strict=True):
        s, signal, w = checked(row, label, weight)
        for own, sign in ((signal, 1.0), (~signal, -1.0)):
            placement = _share_below(sign * s[own], sign * s[~own], w[~own])
            share = w[own] / w[own].sum()
            out[own] = _of_few(share) * share * (placement - (share * placement).sum())
    return result


def _of_few(share: Floats) -> float:
    """Factor by which deviations from a mean of the same events are too small: √(n/(n − 1)) of n of equal weight.

    The variance of one less the mean is 1 − 2 s + Σs² times its own, with s the weights' shares of their sum.
    """
    squares = float((share**2).sum())
    left = squares - 2 * float((share**3).sum()) + squares**2
    return float(np.sqrt(squares / left)) if left > 1e-9 * squares else 0.0


def event_variance(
    moved: Floats, signal: NDArray[np.bool_], weight: Floats, bound: float
) -> tuple[float, float]:
    """Return the variance due to events, and its degrees of freedom: n − 1 of each class, after Welch–Satterthwaite.

    Args:
        moved: (N,) influences, or their differences.
        signal: (N,) whether signal.
        weight: (N,) event weights.
        bound: standard deviation of a class that consists of one event, which tells nothing of it.
    """
    total = terms = 0.0
    for own in (signal, ~signal):
        variance, number = float((moved[own] ** 2).sum()), effective_events(weight[own])
        if np.count_nonzero(weight[own]) == 1:
            variance, number = bound**2, float("inf")
        total += variance
        terms += variance**2 / max(number - 1, 0.5)
    return total, total**2 / terms if terms > 0 else float("inf")


def mean_area(scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> Area:
    """Return the mean AUC over seeds with its error over test events and seeds.

    Where every pair is in order nothing fluctuates; the error is then the one of one misplaced event in the
    smaller class. The variance of few events is itself not known well: the error has Student's factor for it.

    Args:
        scores: (S, N) classifier output, one row per training seed.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    _, signal, w = checked(rows[0], label, weight)
    areas = np.array([auc(row, label, weight) for row in rows])
    moved = influence(rows, label, weight)
    events, freedom = event_variance(moved.mean(axis=0), signal, w, 0.5)
    if events == 0:
        events, freedom = min(effective_events(w[signal]), effective_events(w[~signal])) ** -2.0, float("inf")
    spread = combine_spreads(events, *seed_variance(areas, moved), freedom)
    value = float(areas.mean())
    return Area(value, areas, spread, _logit_interval(value, spread.error))


def seed_variance(areas: Floats, moved: Floats) -> tuple[list[float], list[float]]:
    """Return the variance of a mean over seeds that is due to the seeds, and its degrees of freedom.

    Seeds differ on given test events also because each misplaces other events; that part is in the variance due to
    events already and is taken off (analysis of variance, two-way layout with events and seeds at random). What is
    left may be negative, down to half of what was taken off: cut at 0 it would on average be too large where seeds
    hardly differ.

    Args:
        areas: (S,) of each seed.
        moved: (S, N) from :func:`influence`.
    """
    number = len(areas)
    if number < 2:
        return [], []
    both = float(((moved - moved.mean(axis=0)) ** 2).sum() / (number - 1))
    return [max(-both / 2, float(areas.var(ddof=1)) - both) / number], [number - 1.0]


def warn_if_few(label: ArrayLike, weight: ArrayLike, where: str) -> dict[str, float]:
    """Warn where a class's weights leave few effective events, and return these numbers by class.

    Args:
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights.
        where: what the warning begins with.
    """
    signal, w = np.asarray(label).astype(bool), np.asarray(weight, dtype=np.float64)
    numbers = {}
    for name, own in (("signal", signal), ("background", ~signal)):
        n = numbers[name] = effective_events(w[own])
        negative = int((w[own] < 0).sum())
        if own.any() and (n < FEW_EVENTS or (negative and n < CANCELLATION * own.sum())):
            warnings.warn(
                f"{where}: {int(own.sum())} {name} events, {negative} of negative weight, count like {n:.0f} of equal "
                f"weight; errors are large accordingly: give more events, or set evaluation.weights: unit",
                JetlensWarning,
                stacklevel=2,
            )
    return numbers


def checked(
    scores: ArrayLike, label: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Return scores, whether signal, and weights as arrays.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
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


def monotone(efficiency: Floats) -> Floats:
    """Rearrange efficiencies along the last axis: within [0, 1], never falling."""
    return np.asarray(np.sort(np.clip(efficiency, 0.0, 1.0), axis=-1), dtype=np.float64)


def _efficiency(weight: Floats, last_of_tie: NDArray[np.bool_]) -> Floats:
    passing = np.cumsum(weight)
    efficiency = np.concatenate([[0.0], passing[last_of_tie] / passing[-1]])
    return monotone(efficiency) if (weight < 0).any() else efficiency


def _share_below(values: Floats, others: Floats, weight: Floats) -> Floats:
    """Weighted share of ``others`` below each value, ties counting half."""
    order = np.argsort(others, kind="stable")
    cumulative = np.concatenate([[0.0], np.cumsum(weight[order])])
    ordered = others[order]
    low, high = (cumulative[np.searchsorted(ordered, values, side)] for side in ("left", "right"))
    return np.asarray((low + high) / 2 / cumulative[-1], dtype=np.float64)


def _logit_interval(value: float, error: float) -> tuple[float, float]:
    slope = value * (1 - value)
    if slope <= 0 or error == 0:
        return max(0.0, value - error), min(1.0, value + error)
    odds = value / (1 - value)
    with np.errstate(over="ignore"):  # next to 1 the odds of the upper end may be infinite
        low, high = odds * np.exp(-error / slope), odds * np.exp(min(error / slope, 700.0))
    return float(low / (1 + low)), 1.0 if np.isinf(high) else float(high / (1 + high))
