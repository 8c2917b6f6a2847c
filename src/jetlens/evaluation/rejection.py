"""Background rejection at a signal efficiency, with an interval that knows where the cut comes from.

The cut is found on the signal of the test sample, so it moves with it, and the background that passes is a count,
often a small one. Both are taken together:

1. Signal events are resampled (bootstrap), the cut is found again for each replica and every seed, and the background
   that passes it counted: k of n events, in effective numbers where weights differ or seeds disagree.
2. Given these, ε_B has the distribution of Jeffreys' interval, Beta(k + ½, n − k + ½) (Brown, Cai, DasGupta, Stat.
   Sci. 16 (2001) 101), which holds for small k where a resampled count does not. The half event has the weight that one
   more event of all background would have, Σw²/Σw: a process of which few events of large weight are simulated may
   pass though none of its events did. The weights that pass and this one make the effective numbers.
3. Over several seeds, ε_B is multiplied by exp(δ·t), where δ is the relative error of the mean due to the seeds and t
   is Student's, with one degree of freedom less than seeds.

The interval is that between quantiles of the mixture of all replicas. Where fewer than three background events pass it
would say little, and the lower limit at 95 % confidence is quoted instead, made with Beta(k + 1, n − k), as Clopper
and Pearson's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetlens.evaluation.metrics import checked, monotone, roc_curve
from jetlens.statistics import LIMIT_CONFIDENCE, ONE_SIGMA, typical_weight

Floats = NDArray[np.float64]

FEWEST_EVENTS = 3
"""With fewer background events passing (mean over seeds) a limit is quoted, no value."""
DRAWS = 50
"""Random values of ε_B per replica of the signal."""


@dataclass(frozen=True)
class Working:
    """One network's tightest cut that keeps at least the wanted share of the signal.

    Attributes:
        threshold: the cut.
        signal_efficiency: what it keeps, at least the wanted share.
        background_efficiency: ε_B.
        events: background events that pass, unweighted.
    """

    threshold: float
    signal_efficiency: float
    background_efficiency: float
    events: int


@dataclass(frozen=True)
class Rejection:
    """Background rejection 1/⟨ε_B⟩, the mean over training seeds, each with a cut of its own.

    Attributes:
        value: 1/⟨ε_B⟩, or its lower limit at 95 % confidence.
        low: lower end of the central 68 % interval; None for a limit.
        high: its upper end; None for a limit.
        is_limit: True where fewer than three background events pass.
        background_efficiency: ⟨ε_B⟩.
        events: background events that pass, unweighted, mean over seeds.
        per_seed: of each seed.
    """

    value: float
    low: float | None
    high: float | None
    is_limit: bool
    background_efficiency: float
    events: float
    per_seed: list[Working]


def working_point(
    scores: ArrayLike, label: ArrayLike, efficiency: float, weight: ArrayLike | None = None
) -> Working:
    """Return the tightest cut that keeps a share ``efficiency`` of the signal.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    s, signal, w = checked(scores, label, weight)
    curve = roc_curve(s, signal, w)
    point = curve.tightest(efficiency)
    threshold = float(curve.threshold[point])
    return Working(
        threshold,
        float(curve.signal[point]),
        float(curve.background[point]),
        int((s[~signal] >= threshold).sum()),
    )


def background_rejection(
    scores: ArrayLike,
    label: ArrayLike,
    efficiency: float,
    weight: ArrayLike | None = None,
    *,
    replicas: int = 400,
    seed: int = 1,
) -> Rejection:
    """Return the background rejection at a signal efficiency, with its interval or limit.

    Args:
        scores: (S, N) classifier output, larger for signal, one row per training seed.
        label: (N,) 1 signal, 0 background.
        efficiency: wanted signal efficiency, between 0 and 1.
        weight: (N,) event weights; default: all events count the same.
        replicas: how often the signal is resampled.
        seed: of the random numbers.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    _, signal, w = checked(rows[0], label, weight)
    points = [working_point(row, signal, efficiency, w) for row in rows]
    mean = float(np.mean([point.background_efficiency for point in points]))
    events = float(np.mean([point.events for point in points]))
    few = events < FEWEST_EVENTS or mean <= 0
    drawn = efficiency_distribution(rows, signal, w, efficiency, points, replicas, seed, limit=few)
    if few:
        limit = 1 / float(np.quantile(drawn, LIMIT_CONFIDENCE))
        return Rejection(limit, None, None, True, mean, events, points)
    low, high = np.quantile(drawn, [(1 - ONE_SIGMA) / 2, (1 + ONE_SIGMA) / 2])
    return Rejection(1 / mean, float(1 / high), float(1 / low), False, mean, events, points)


def efficiency_distribution(
    rows: Floats,
    signal: NDArray[np.bool_],
    weight: Floats,
    efficiency: float,
    points: list[Working],
    replicas: int,
    seed: int,
    *,
    limit: bool,
) -> Floats:
    """Return draws from the mixture that the module describes; its quantiles are interval and limit of ε_B."""
    rng = np.random.default_rng(seed)
    background = weight[~signal]
    counts = _resampled(int(signal.sum()), replicas, rng)
    cuts = [_thresholds(row[signal], weight[signal], counts, efficiency) for row in rows]
    shares = np.array([_passing(row[~signal], background, cut) for row, cut in zip(rows, cuts, strict=True)])
    # an event that passes for a share f of the seeds counts f: effective weight of one passing event
    f = np.mean([row[~signal] >= point.threshold for row, point in zip(rows, points, strict=True)], axis=0)
    one, more = typical_weight(background * f), typical_weight(background)
    if np.isfinite(one) and one > 0:
        more *= one * float((np.abs(background) * f).sum() / (background**2 * f).sum())  # for as many seeds
    else:
        one = more
    above, below = (1.0, 0.0) if limit else (0.5, 0.5)
    passing = np.clip(shares.mean(axis=0), 0, 1)[:, None] * background.sum()
    scale = (passing * one + above * more**2) / (passing + above * more)
    trials = background.sum() / scale
    first, second = (passing + above * more) / scale, np.maximum(trials - passing / scale + below, 1e-9)
    drawn = rng.beta(first, second, (replicas, DRAWS))
    delta = _relative_error_of_seeds(rows, signal, background, points, cuts)
    if delta > 0:
        t = rng.standard_t(len(rows) - 1, drawn.shape)
        drawn = drawn * np.exp(np.clip(delta * t, -20, 20))
    return np.clip(drawn, 0, 1)


def _relative_error_of_seeds(
    rows: Floats,
    signal: NDArray[np.bool_],
    background: Floats,
    points: list[Working],
    cuts: list[Floats],
) -> float:
    """Relative error of ⟨ε_B⟩ due to seeds, less what events do to seeds differently (analysis of variance)."""
    number = len(rows)
    shares = np.array([point.background_efficiency for point in points])
    if number < 2 or shares.mean() <= 0:
        return 0.0
    passes = np.array([row[~signal] >= p.threshold for row, p in zip(rows, points, strict=True)], float)
    own = passes - passes.mean(axis=0)
    by_background = float(((background * own) ** 2).sum() / background.sum() ** 2) / (number - 1)
    moved = np.array([_passing(row[~signal], background, cut) for row, cut in zip(rows, cuts, strict=True)])
    by_signal = float((moved - moved.mean(axis=0)).var(axis=1, ddof=1).sum()) / (number - 1)
    variance = max(0.0, float(shares.var(ddof=1)) - by_background - by_signal)
    return float(np.sqrt(variance / number) / shares.mean())


def _resampled(number: int, replicas: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """(replicas, number): how often each event is drawn."""
    drawn = rng.integers(0, number, size=(replicas, number)) + number * np.arange(replicas)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=replicas * number)
    return counts.reshape(replicas, number).astype(np.uint16)


def _thresholds(scores: Floats, weight: Floats, counts: NDArray[np.uint16], efficiency: float) -> Floats:
    """(R,) tightest cuts that keep the wanted share of each replica of the signal."""
    order = np.argsort(-scores, kind="stable")
    s, w = scores[order], weight[order]
    kept = np.empty(len(counts), dtype=np.int64)
    block = max(1, 4_000_000 // len(s))
    for first in range(0, len(counts), block):
        passing = np.cumsum(counts[first : first + block, order] * w, axis=1)
        total = np.where(passing[:, -1:] > 0, passing[:, -1:], np.inf)
        share = passing / total
        share = monotone(share) if (w < 0).any() else share
        kept[first : first + block] = np.argmax(share >= efficiency * (1 - 1e-12), axis=1)
    return s[kept]


def _passing(scores: Floats, weight: Floats, cuts: Floats) -> Floats:
    """(R,) weighted share of the background at or above each cut."""
    order = np.argsort(-scores, kind="stable")
    share = np.concatenate([[0.0], np.cumsum(weight[order]) / weight.sum()])
    share = monotone(share) if (weight < 0).any() else share
    return np.asarray(share[np.searchsorted(-scores[order], -cuts, side="right")], dtype=np.float64)
