"""Differences between classifiers on the same test events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jetlens.evaluation.metrics import auc, checked, event_variance, influence, seed_variance
from jetlens.statistics import Spread, combine_spreads, gaussian_z


@dataclass(frozen=True)
class Difference:
    """Difference of two variants' AUC, each the mean over its training seeds.

    Attributes:
        value: first minus second.
        spread: its error, over test events and the seeds of both; ``spread.events`` with the seeds as they are.
        p_value: two-sided probability of such a difference, or a larger one, between equal variants.
    """

    value: float
    spread: Spread
    p_value: float

    @property
    def z(self) -> float:
        """Gaussian standard deviations that ``p_value`` stands for, with the sign of the difference."""
        return float(np.copysign(gaussian_z(self.p_value), self.value))


def paired_difference(
    first: ArrayLike, second: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None
) -> Difference:
    """Compare two variants on the same test events.

    What test events do to both variants alike cancels: the variance due to events is that of the difference of the
    influences (DeLong et al., Biometrics 44 (1988) 837). Seeds of two variants have nothing to do with each other;
    their variances add. The p-value is Student's, with degrees of freedom after Welch and Satterthwaite: with few
    seeds their spread is known poorly. With a single seed per variant it says nothing of other seeds. Networks of all
    seeds learn from the same events: how far another training sample would move them is in no error here.

    Args:
        first: (S₁, N) scores of the first variant's seeds.
        second: (S₂, N) scores of the second variant's seeds, same events.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights; default: all events count the same.

    Raises:
        NoEventsError: if a class is empty or its weights sum to nothing.
    """
    means, moved, variances, freedoms = [], [], [], []
    for scores in (np.atleast_2d(np.asarray(first)), np.atleast_2d(np.asarray(second))):
        areas = np.array([auc(row, label, weight) for row in scores])
        each = influence(scores, label, weight)
        variance, freedom = seed_variance(areas, each)
        means.append(float(areas.mean()))
        moved.append(each.mean(axis=0))
        variances += variance
        freedoms += freedom
    value = means[0] - means[1]
    _, signal, w = checked(np.atleast_2d(np.asarray(first))[0], label, weight)
    events, freedom_of_events = event_variance(moved[0] - moved[1], signal, w, abs(value))
    spread = combine_spreads(events, variances, freedoms, freedom_of_events)
    return Difference(value, spread, spread.p_value(value))
