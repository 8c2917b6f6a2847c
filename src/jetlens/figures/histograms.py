"""Histograms as figures need them: ends folded in, bins that events can fill, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import hist
import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetlens.statistics import garwood

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Folded:
    """A histogram whose first and last bins also hold what lies beyond the axis.

    Attributes:
        value: Σw per bin (B,).
        variance: Σw² per bin (B,).
        below: Σw of what the first bin holds from below the axis.
        above: Σw of what the last bin holds from above it.
    """

    value: Floats
    variance: Floats
    below: float
    above: float

    @property
    def error(self) -> Floats:
        """√Σw² per bin (B,)."""
        return np.sqrt(self.variance)


def fill(axis: hist.axis.AxesMixin, values: ArrayLike, weight: ArrayLike) -> hist.Hist:
    """Return a histogram of Σw and Σw²; values that are not finite, of objects an event lacks, are left out."""
    values, weight = np.asarray(values, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    there = np.isfinite(values)
    return hist.Hist(axis, storage=hist.storage.Weight()).fill(values[there], weight=weight[there])


def fold(histogram: hist.Hist) -> Folded:
    """Add under- and overflow to the edge bins."""
    value, variance = (np.array(part, dtype=np.float64) for part in _with_flow(histogram))
    for part in (value, variance):
        part[1] += part[0]
        part[-2] += part[-1]
    return Folded(value[1:-1], variance[1:-1], float(value[0]), float(value[-1]))


def _with_flow(histogram: hist.Hist) -> tuple[Floats, Floats]:
    variances = histogram.variances(flow=True)
    assert variances is not None
    return np.asarray(histogram.values(flow=True)), np.asarray(variances)


def filled_edges(values: ArrayLike, edges: ArrayLike, fewest: float = 5) -> Floats:
    """Merge neighbouring bins, from the left, until each holds ``fewest`` of the values.

    Args:
        values: the events (n,).
        edges: of the finest bins (B + 1,); values beyond them count in the edge bins.
        fewest: events that a bin must hold, unless there are fewer in all.

    Returns:
        Some of the edges, the first and the last among them.
    """
    edges = np.asarray(edges, dtype=np.float64)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    kept, held = [float(edges[0])], 0
    for count, high in zip(counts, edges[1:], strict=True):
        held += int(count)
        if held >= fewest:
            kept.append(float(high))
            held = 0
    if len(kept) == 1:
        return np.array([edges[0], edges[-1]])
    kept[-1] = float(edges[-1])  # too few are left for a bin of their own
    return np.array(kept)


def interval(value: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Return the central 68 % interval of Σw, Garwood's of the effective number of events times their mean weight.

    Args:
        value: Σw per bin.
        variance: Σw² per bin.

    Returns:
        Lower and upper ends, both zero where there is no event.
    """
    there = value > 0
    scale = np.divide(variance, value, out=np.zeros_like(value), where=there)
    low, high = garwood(np.divide(value, scale, out=np.zeros_like(value), where=there))
    return low * scale, high * scale
