"""Do explanations agree: between trainings, between methods, with pT order, and, as they must not, with chance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pair = tuple[float, float]


def rank_correlation(first: Floats, second: Floats, mask: Mask) -> Pair | None:
    """Return the mean over events of Spearman's rank correlation of two maps, and its standard error.

    Ties share their mean rank. Events with fewer than three constituents, or with a map that is the same
    everywhere, say nothing and are left out; None if no event is left.

    Args:
        first: (N, T).
        second: (N, T).
        mask: (N, T) True where a token is real.
    """
    values = []
    for a, b, real in zip(first, second, mask, strict=True):
        if real.sum() < 3 or np.ptp(a[real]) == 0 or np.ptp(b[real]) == 0:
            continue
        values.append(np.corrcoef(rankdata(a[real]), rankdata(b[real]))[0, 1])
    if not values:
        return None
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return float(np.mean(values)), error


def between_seeds(values: Floats, mask: Mask) -> Pair | None:
    """Return the mean rank correlation over pairs of trainings, (S, N, T), and its mean error; None with one."""
    found = [rank_correlation(a, b, mask) for a, b in itertools.combinations(values, 2)]
    pairs = [pair for pair in found if pair is not None]
    if not pairs:
        return None
    return float(np.mean([p[0] for p in pairs])), float(np.mean([p[1] for p in pairs]))


def between_methods(answers: Mapping[str, Floats], mask: Mask) -> dict[str, dict[str, Pair | None]]:
    """Return the rank correlation of every two of the answers (N, T)."""
    table: dict[str, dict[str, Pair | None]] = {name: {} for name in answers}
    for a, b in itertools.combinations(answers, 2):
        table[a][b] = table[b][a] = rank_correlation(answers[a], answers[b], mask)
    return table
