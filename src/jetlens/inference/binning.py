"""Bins that the simulation can fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetlens.inference.templates import Region

Floats = NDArray[np.float64]
N_EFF = 10.0
"""Effective events that each process needs in a bin."""
INFLATION = 1.2
"""The most by which the simulation's size may enlarge the total relative error of a bin."""
NEGLIGIBLE = 0.1
"""A process that is too small to be resolved may stay below this share of the background in a bin."""
ONE_SIDED = 1.84102
"""Upper limit at 84.13 % on a Poisson mean of which nothing was seen, in events: −ln(1 − 0.8413)."""


@dataclass(frozen=True)
class Shortfall:
    """A process that the simulation cannot resolve in a bin.

    Attributes:
        process: its name.
        low: lower edge of the bin.
        high: upper edge of the bin.
        n_eff: effective events found.
        needed: times as many simulated events as there are would be enough.
    """

    process: str
    low: float
    high: float
    n_eff: float
    needed: float


def merged_edges(
    region: Region,
    backgrounds: Sequence[str],
    systematic: float = 0.0,
    *,
    n_eff: float = N_EFF,
    inflation: float = INFLATION,
) -> Floats:
    """Merge neighbouring bins, from the upper end, until the simulation fills each of them.

    In each bin every background has at least ``n_eff`` effective events, or is negligible (its upper limit is below
    a tenth of the background), and the simulation enlarges the total error by at most ``inflation``:
    1/n ≤ (inflation² − 1)·(1/b + δ²) with b the background, n its effective events, δ the systematic error.

    Args:
        region: templates in fine bins.
        backgrounds: the processes that must be resolved.
        systematic: δ, relative.
        n_eff: effective events needed.
        inflation: the most by which the total error may grow.

    Returns:
        the edges that stay; only the outer ones if no merging is enough (see :func:`shortfalls`).
    """
    values = np.array([region.values(name) for name in backgrounds])
    variances = np.array([region.covered_variances(name) for name in backgrounds])
    weights = np.array([region.mean_weight(name) for name in backgrounds])
    return region.edges[merged_bins(values, variances, weights, systematic, n_eff=n_eff, inflation=inflation)]


def merged_bins(
    values: Floats,
    variances: Floats,
    weights: Floats,
    systematic: float,
    *,
    n_eff: float = N_EFF,
    inflation: float = INFLATION,
) -> list[int]:
    """Return where merged bins begin, and the end: what :func:`merged_edges` does, on arrays.

    Args:
        values: expected events, (processes, bins).
        variances: of the simulation, (processes, bins).
        weights: of one more event of each process, (processes,).
        systematic: as there.
        n_eff: as there.
        inflation: as there.
    """

    def filled(start: int, stop: int) -> bool:
        sums = values[:, start:stop].sum(axis=1), variances[:, start:stop].sum(axis=1)
        return _filled(*sums, weights, systematic, n_eff, inflation)

    edges = [values.shape[1]]
    for start in range(values.shape[1] - 1, -1, -1):
        if filled(start, edges[-1]):
            edges.append(start)
    # what is left over at the lower end joins the bin above, which may need more then
    while len(edges) > 1 and edges[-1] > 0:
        edges[-1] = 0
        if len(edges) > 2 and not filled(0, edges[-2]):
            edges = [*edges[:-2], edges[-2]]
    if len(edges) == 1:
        edges.append(0)
    return edges[::-1]


def _filled(
    values: Floats, variances: Floats, weights: Floats, systematic: float, n_eff: float, inflation: float
) -> bool:
    total, variance = values.sum(), variances.sum()
    if total <= 0 or (values < 0).any():
        return False
    enough = resolved(values, variances, weights, total, n_eff)
    return bool(enough.all() and variance / total**2 <= (inflation**2 - 1) * (1 / total + systematic**2))


def resolved(
    values: Floats, variances: Floats, weights: Floats, total: float, n_eff: float = N_EFF
) -> NDArray[np.bool_]:
    """Tell which processes (processes,) have enough effective events in a bin, or cannot matter in it."""
    upper = values + np.where(variances > 0, np.sqrt(variances), ONE_SIDED * weights)
    have = np.divide(values**2, variances, out=np.zeros_like(values), where=variances > 0)
    # ten of equal weights may be a rounding error less, by the order in which they are added
    enough = have >= n_eff * (1 - 1e-9)
    return enough | (upper < NEGLIGIBLE * total)


def lacking(weight: float, own: float, total: float) -> float:
    """Return times as many events that a sample needs of which none is in a region; at most 1 where it has enough.

    One event more of a sample whose events are much heavier than the others of its process would change its yield. It
    has enough if that is within the error that :data:`N_EFF` effective events have, or cannot matter. Where its process
    has no other event there, the process is what is missed, by :func:`resolved`: 0.

    Args:
        weight: what one event of the sample weighs.
        own: expected events of its process in the region, by other samples.
        total: of all background.
    """
    if own <= 0:
        return 0.0
    # one of two equal weights may be a rounding error heavier
    return weight * (1 - 1e-9) / max(own / math.sqrt(N_EFF), NEGLIGIBLE * total / ONE_SIDED)


def shortfalls(region: Region, backgrounds: Sequence[str], *, n_eff: float = N_EFF) -> list[Shortfall]:
    """Return which backgrounds are not resolved in which bins; empty where the templates can be trusted."""
    total, _ = region.total(backgrounds)
    missing = []
    for name in backgrounds:
        values, variances = region.values(name), region.variances(name)
        have = region.n_eff(name)
        for k in range(len(values)):
            weight = np.array([region.mean_weight(name)])
            if not resolved(values[[k]], variances[[k]], weight, total[k], n_eff).all():
                missing.append(
                    Shortfall(
                        name,
                        float(region.edges[k]),
                        float(region.edges[k + 1]),
                        float(have[k]),
                        n_eff / max(have[k], 1.0),
                    )
                )
    return missing


def describe(missing: Sequence[Shortfall], unit: str = "") -> str:
    """Say in one line what the simulation would need, worst first."""
    worst = sorted(missing, key=lambda each: -each.needed)[:3]
    words = [_words(each, unit) for each in worst]
    more = f"; {len(missing) - len(worst)} more" if len(missing) > len(worst) else ""
    return "not computable from this simulation: " + "; ".join(words) + more


def _words(each: Shortfall, unit: str) -> str:
    where = f"{each.low:g}–{each.high:g} {unit}".rstrip()
    more = f"needs about {each.needed:.2g} times as many"
    return f"{each.process} has {each.n_eff:.3g} effective events in {where} and {more}"
