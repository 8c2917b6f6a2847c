"""Whether cuts on a score shape the fitted distribution of the background, and a score that does not.

Jensen–Shannon divergence: J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145; in bits, 0 for equal shapes, 1 for disjoint
ones. Distance correlation: Székely, Rizzo, Bakirov, Ann. Stat. 35 (2007) 2769, by dcor; of independent variables it
is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from jetlens.inference.selected import Selected

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
"""Quantiles of the background's score that the decorrelated one is made of."""
EFFICIENCIES = (0.3, 0.5, 0.7)
PERMUTATIONS = 200
MOST = 2000
"""Events of a process that distance correlations are of, at most: their cost grows with the square."""


class Decorrelation:
    """A score by its place among the background's quantiles at the same value of the observable.

    Quantiles are quadratic in the observable (quantile regression, all background events counting the same). Between
    two the new score is linear in the old one, so the order of events at one value of the observable stays.
    """

    def __init__(self, score: Floats, observable: Floats) -> None:
        """Fit the quantiles to background events: score and observable, (N,) each."""
        from sklearn.linear_model import QuantileRegressor  # here: few analyses ask for it

        self._centre, self._width = float(np.mean(observable)), float(np.std(observable)) or 1.0
        design = self._design(observable)
        self._fits = [
            QuantileRegressor(quantile=level, alpha=0.0, solver="highs").fit(design, score)
            for level in LEVELS
        ]

    def _design(self, observable: Floats) -> Floats:
        x = np.clip((observable - self._centre) / self._width, -3, 3)
        return np.stack([x, x**2], axis=1)

    def __call__(self, score: Floats, observable: Floats) -> Floats:
        """Return the new score (N,): 0.05 at the 5 % quantile and so on, beyond the outer ones with their slope."""
        design = self._design(observable)
        knots = np.sort(np.stack([fit.predict(design) for fit in self._fits], axis=1), axis=1)
        knots += np.arange(len(LEVELS)) * 1e-9  # quantiles that cross are equal then
        at = np.clip((score[:, None] >= knots).sum(axis=1) - 1, 0, len(LEVELS) - 2)
        rows = np.arange(len(score))
        low, high = knots[rows, at], knots[rows, at + 1]
        share = (score - low) / np.maximum(high - low, 1e-9)
        return np.asarray(LEVELS[at] + share * (LEVELS[at + 1] - LEVELS[at]))


def sculpting(
    backgrounds: Mapping[str, Selected],
    signals: Sequence[Selected],
    scores: Mapping[str, str],
    observable: str,
    edges: Floats,
    *,
    seed: int = 1,
) -> pd.DataFrame:
    """Return how cuts change the observable's distribution, process by process, rows that have it counting the same.

    An event with several rows, drawn patterns of tags, is one in errors and in what chance makes.

    Columns: ``score`` (which one), ``process``, ``signal_efficiency`` of the cut, ``low``, ``high``, ``before``,
    ``after`` (shares of events per bin), ``after_error``, ``divergence`` [bits], ``divergence_chance`` (the mean of as
    many events picked without regard to the score), ``p_value``, ``correlation`` and ``correlation_chance`` (distance
    correlation, and with permuted scores).

    Args:
        backgrounds: events by process.
        signals: events of the hypotheses, which define the cuts.
        scores: column by name of the score.
        observable: column.
        edges: of the bins.
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    rows: list[pd.DataFrame] = []
    for label, column in scores.items():
        cuts = np.quantile(np.concatenate([s.columns[column] for s in signals]), 1 - np.array(EFFICIENCIES))
        for process, every in backgrounds.items():
            events = every.take(np.isfinite(every.columns[observable]))
            x, y = events.columns[observable], events.columns[column]
            _, event = np.unique(events.number, return_inverse=True)
            correlation, by_chance = _correlations(x, y, event, rng)
            at = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
            before = np.bincount(at, minlength=len(edges) - 1) / max(len(x), 1)
            for efficiency, cut in zip(EFFICIENCIES, cuts, strict=True):
                passed, variance = _passing(at, y >= cut, event, len(before))
                count = int(passed.sum())
                if not count:
                    continue
                found, chance = _divergence(passed, before), _chance(at, y >= cut, event, before, rng)
                rows.append(
                    pd.DataFrame(
                        {
                            "score": label,
                            "process": process,
                            "signal_efficiency": efficiency,
                            "low": edges[:-1],
                            "high": edges[1:],
                            "before": before,
                            "after": passed / count,
                            "after_error": np.sqrt(variance) / count,
                            "divergence": found,
                            "divergence_chance": chance.mean(),
                            "p_value": (1 + (chance >= found).sum()) / (1 + len(chance)),
                            "correlation": correlation,
                            "correlation_chance": by_chance,
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))


COLUMNS = (
    *("score", "process", "signal_efficiency", "low", "high", "before", "after", "after_error"),
    *("divergence", "divergence_chance", "p_value", "correlation", "correlation_chance"),
)


def _divergence(first: Floats | NDArray[np.int64], second: Floats) -> float:
    distance = jensenshannon(first, second, base=2)
    return float(distance**2) if np.isfinite(distance) else 0.0


def _passing(
    at: Integers, passes: NDArray[np.bool_], event: Integers, bins: int
) -> tuple[Integers, Integers]:
    """Rows per bin that pass, and their variance: rows of one event are added up before they are squared."""
    both, rows = np.unique(event[passes] * bins + at[passes], return_counts=True)
    sums = (np.bincount(both % bins, weight, bins) for weight in (rows, rows**2))
    return tuple(each.astype(np.int64) for each in sums)  # type: ignore[return-value]


def _chance(
    at: Integers, passes: NDArray[np.bool_], event: Integers, before: Floats, rng: np.random.Generator
) -> Floats:
    """Divergences where events, with all of their rows, pass without regard to the score: shares are permuted."""
    share = np.bincount(event, passes) / np.maximum(np.bincount(event), 1)
    if len(share) == len(event):  # an event is a row: the picked ones are enough
        count = int(passes.sum())
        picks = (rng.choice(at, count, replace=False) for _ in range(PERMUTATIONS))
        return np.array([_divergence(np.bincount(pick, minlength=len(before)), before) for pick in picks])
    drawn = (rng.permutation(share)[event] for _ in range(PERMUTATIONS))
    return np.array([_divergence(np.bincount(at, weight, len(before)), before) for weight in drawn])


def _correlations(x: Floats, y: Floats, event: Integers, rng: np.random.Generator) -> tuple[float, float]:
    """Distance correlation and that with permuted scores, of one row of each event."""
    import dcor  # here: its compiler takes ten seconds to load

    if len(x) < 2:
        return np.nan, np.nan
    rows = rng.permutation(len(x))
    if event.max() + 1 < len(event):
        rows = rng.permutation(rows[np.unique(event[rows], return_index=True)[1]])
    chosen = rows[:MOST]
    x, y = x[chosen], y[chosen]
    chance = [dcor.distance_correlation(x, rng.permutation(y), method="naive") for _ in range(5)]
    return float(dcor.distance_correlation(x, y, method="naive")), float(np.mean(chance))
