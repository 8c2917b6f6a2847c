"""Cuts on a score that split events into categories, chosen on the validation folds for the expected limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jetlens.inference.binning import INFLATION, N_EFF, lacking, merged_bins, resolved
from jetlens.inference.selected import Selected

Floats = NDArray[np.float64]
EFFICIENCIES = np.round(np.arange(0.05, 1.0001, 0.05), 2)
"""Signal efficiencies among whose cuts is chosen."""
MEDIAN = float(stats.norm.isf(0.025))
"""The median expected CLs limit of a Gaussian measurement, in its standard deviations: Φ⁻¹(1 − 0.05/2)."""


@dataclass(frozen=True)
class Category:
    """Events whose score lies in a range.

    Attributes:
        name: ``category1`` has the highest scores; ``all`` without any cut.
        low: lowest score in it; −∞ without a cut.
        high: scores below it are in it.
        efficiency: share of the validation signal with a score above ``low``.
    """

    name: str
    low: float
    high: float
    efficiency: float

    def contains(self, score: Floats) -> NDArray[np.bool_]:
        """Tell which scores are in it."""
        return np.asarray((score >= self.low) & (score < self.high))


EVERYTHING = (Category("all", -np.inf, np.inf, 1.0),)


def choose(
    number: int,
    signals: Sequence[Selected],
    backgrounds: Mapping[str, Selected],
    score: str,
    observable: str,
    edges: Floats,
    *,
    systematic: float,
    share: float,
    event_weights: Mapping[str, float] | None = None,
    parts: Sequence[tuple[str, Selected, float]] = (),
) -> tuple[Category, ...]:
    """Choose the cuts with the smallest expected limit, the geometric mean over signals.

    The limit is estimated as Φ⁻¹(0.975)/√I with the information I = Σ s²/(b + σ_sim² + (δb)²) over categories and their
    merged bins, where the error of the simulation is that of the templates, a ``share`` of the validation events'
    variance. Cuts behind which the simulation could not resolve a background are not considered: in validation folds
    a ``share`` of the effective events that templates need is asked for.

    Args:
        number: of categories; 0: everything is one.
        signals: validation events, by hypothesis.
        backgrounds: validation events by process.
        score: column of the score.
        observable: column that is fitted.
        edges: of its fine bins.
        systematic: δ, relative error of the background.
        share: validation events over events of the templates.
        event_weights: what an event of a process weighs, for those of which none is among ``backgrounds``.
        parts: of backgrounds made of several samples: the process, a sample's validation events, and what one weighs
            in templates. Cuts behind which a sample has none, and may only be missing, are not considered either.

    Returns:
        the categories, highest scores first; if no cut is possible, a single one without.
    """
    scores = np.concatenate([events.columns[score] for events in signals])
    if not (number and share and len(scores)):
        return EVERYTHING
    weights = np.concatenate([events.weight / events.weight.sum() for events in signals])
    order = np.argsort(-scores)
    passed = np.cumsum(weights[order]) / weights.sum()
    at = np.minimum(np.searchsorted(passed, EFFICIENCIES - 1e-9), len(order) - 1)
    cuts = np.unique(scores[order][at])[::-1]
    inner = np.append(np.inf, cuts)
    s = np.stack([_slices(events, score, observable, inner, edges)[0] for events in signals])
    sums = [_slices(events, score, observable, inner, edges) for events in backgrounds.values()]
    b, variance = (np.stack([part[k] for part in sums]) for k in (0, 1))
    others = event_weights or {}
    typical = np.array(
        [events.event_weight() or others.get(name, 0.0) for name, events in backgrounds.items()]
    )
    information = _information(s, b, variance, typical, systematic, share)
    for process, its, weight in parts:
        there = _slices(its, score, observable, inner, edges)[1].sum(axis=1)
        for i, j in information:
            if not there[i:j].any():
                of = b[:, i:j].sum(axis=(1, 2))
                missed = lacking(weight, of[list(backgrounds).index(process)], of.sum()) > 1
                information[i, j] *= not missed
    best = np.inf
    chosen: tuple[int, ...] = ()
    for pick in combinations(range(1, len(inner)), number):
        found = sum(information[i, j] for i, j in zip((0, *pick[:-1]), pick, strict=True))
        with np.errstate(divide="ignore"):
            limit = float(np.mean(np.log(MEDIAN / np.sqrt(found)))) if np.all(found > 0) else np.inf
        if limit < best and all(information[i, j].any() for i, j in zip((0, *pick[:-1]), pick, strict=True)):
            best, chosen = limit, pick
    if not chosen:
        return EVERYTHING
    kept = {float(cut): float(weights[scores >= cut].sum() / weights.sum()) for cut in cuts}
    return tuple(
        Category(f"category{n}", float(inner[j]), float(inner[i]), kept[float(inner[j])])
        for n, (i, j) in enumerate(zip((0, *chosen[:-1]), chosen, strict=True), 1)
    )


def _slices(
    events: Selected, score: str, observable: str, cuts: Floats, edges: Floats
) -> tuple[Floats, Floats]:
    """Σw and its variance by slice of the score, highest first, and bin of the observable: (slices, bins).

    The variance is Σw², or what bounds it from above where an event has several rows, which are in several slices.
    """
    bins, number = len(edges) - 1, len(cuts) - 1
    slice_ = number - np.searchsorted(cuts[::-1], events.columns[score], side="right")
    at = np.clip(np.searchsorted(edges, events.columns[observable], side="right") - 1, 0, bins - 1)
    inside = (slice_ >= 0) & (slice_ < number)
    index = (slice_ * bins + at)[inside]
    sums = (events.weight, events.weight * events.of_event())
    return tuple(np.bincount(index, x[inside], number * bins).reshape(number, bins) for x in sums)  # type: ignore[return-value]


def _information(
    s: Floats, b: Floats, variance: Floats, typical: Floats, systematic: float, share: float
) -> dict[tuple[int, int], Floats]:
    """Information of each range of slices, (signals,); zeros where a background is not resolved."""
    found = {}
    inflation = np.sqrt(1 + (INFLATION**2 - 1) / share)  # of the templates' error by INFLATION
    for i in range(b.shape[1]):
        for j in range(i + 1, b.shape[1] + 1):
            of, its = b[:, i:j].sum(axis=1), variance[:, i:j].sum(axis=1)
            needed = {"n_eff": share * N_EFF, "inflation": float(inflation)}
            starts = merged_bins(of, its, typical, systematic, **needed)[:-1]
            of, its = (np.add.reduceat(x, starts, axis=1) for x in (of, its))
            total, error = of.sum(axis=0), its.sum(axis=0)
            good = (total > 0).all() and all(
                resolved(of[:, k], its[:, k], typical, total[k], share * N_EFF).all()
                for k in range(len(starts))
            )
            signal = np.add.reduceat(s[:, i:j].sum(axis=1), starts, axis=1)
            spread = total + share * error + (systematic * total) ** 2
            found[i, j] = (signal**2 / spread).sum(axis=1) if good else np.zeros(len(s))
    return found
