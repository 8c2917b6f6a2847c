"""From values per constituent to averages in the (Δη, Δφ) plane, with their statistical errors.

Two averages answer two questions and are kept apart:

``density``
    how much of an event's total lies in a cell: the weighted mean over events of the cell's sum. It is
    large where constituents are many, whatever they are worth.
``relative``
    what one constituent found in a cell is worth compared with the average constituent of its event: the
    weighted mean over constituents of value × (number of constituents of the event); 1 means no
    preference. This shows what a network looks at beyond where particles happen to be.

Values of an event sum to one over its real tokens before anything is averaged, so that no event counts by
its scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError, did_you_mean
from jetlens.features.featurefile import FeatureSet

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tokens:
    """Constituents of N events at their places; T slots, of several jets one after the other.

    Attributes:
        eta: (N, T) Δη to the axis of the constituent's jet.
        phi: (N, T) Δφ to it [rad].
        mask: (N, T) True where a token is real.
        stream: (T,) which of ``streams`` a slot belongs to.
        streams: names of the streams.
        rank: (N, T) order in pT within the event, 0 the hardest, over all streams.
    """

    eta: Floats
    phi: Floats
    mask: Mask
    stream: NDArray[np.int64]
    streams: list[str]
    rank: NDArray[np.int64]


def has_positions(features: FeatureSet, stream: str) -> bool:
    """Whether the tokens of a stream have a place in a jet's (Δη, Δφ) plane."""
    return {"delta_eta", "delta_phi"} <= set(features.metadata.streams[stream].features)


def column(features: FeatureSet, stream: str, name: str) -> Floats:
    """Return one feature of a stream, (N, T), zero in padded slots.

    Raises:
        FileError: if the stream has no such feature.
    """
    names = features.metadata.streams[stream].features
    if name not in names:
        raise FileError(
            f"features of '{features.metadata.sample}': stream '{stream}' has no feature '{name}'"
            f"{did_you_mean(name, names)}; add it to features.streams.{stream}.features"
        )
    return np.asarray(features.streams[stream][..., names.index(name)], dtype=np.float64)


def ranks(log_pt: Floats, mask: Mask) -> NDArray[np.int64]:
    """Return the rank in pT of each constituent of an event, 0 for the hardest; padded slots come last, (N, T)."""
    order = np.argsort(-np.where(mask, log_pt, -np.inf), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(mask.shape[1]), order.shape), axis=1)
    return rank


def normalise(values: Floats, mask: Mask) -> Floats:
    """Scale the values of each event to sum to one over real tokens; events whose values are all zero stay
    zero.

    Args:
        values: (…, N, T), not negative.
        mask: (N, T).
    """
    values = np.where(mask, values, 0.0)
    total = values.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(values, total, out=np.zeros_like(values), where=total > 0))


@dataclass(frozen=True)
class Map:
    """Averages on a grid of B × B cells, first axis Δη, second Δφ.

    Attributes:
        density: (B, B) mean share of an event's total per cell.
        density_error: (B, B) its statistical error, from the spread between events.
        relative: (B, B) mean worth of a constituent in the cell, 1 for the average one; NaN in empty cells.
        relative_error: (B, B) its statistical error; NaN in empty cells.
        tokens: (B, B) mean number of constituents per event.
        entries: (B, B) number of constituents.
        outside: mean share of an event's total outside of the grid.
    """

    density: Floats
    density_error: Floats
    relative: Floats
    relative_error: Floats
    tokens: Floats
    entries: NDArray[np.int64]
    outside: float


def average(values: Floats, tokens: Tokens, stream: int, weight: Floats, edges: Floats) -> Map:
    """Average the values of one stream's constituents on a grid.

    Args:
        values: (N, T) from :func:`normalise`, zero in padded slots.
        tokens: where the constituents are.
        stream: index of the stream whose jet is drawn.
        weight: (N,) event weights.
        edges: (B + 1,) of the cells along both axes.

    Returns:
        The averages. Events whose values are all zero carry no information on where they look; they count in
        neither average.
    """
    informative = values.sum(axis=1) > 0
    values, weight = values[informative], weight[informative]
    chosen = tokens.mask[informative] & (tokens.stream == stream)
    bins = len(edges) - 1
    cell, inside = _cells(tokens.eta[informative], tokens.phi[informative], chosen, edges)
    event = np.broadcast_to(np.arange(len(values))[:, None], chosen.shape)[inside]
    flat = event * bins**2 + cell
    shape = (len(values), bins**2)
    sums = np.bincount(flat, values[inside], shape[0] * shape[1]).reshape(shape)
    number = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    worth = sums * tokens.mask[informative].sum(axis=1)[:, None]

    total = weight.sum()
    density = weight @ sums / total
    density_error = np.sqrt((weight**2) @ (sums - density) ** 2) / total
    weighted_number = weight @ number
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = weight @ worth / weighted_number
        # error of a ratio of two sums over events, to first order
        residual = worth - np.nan_to_num(relative) * number
        relative_error = np.sqrt((weight**2) @ residual**2) / weighted_number
    outside = float(weight @ np.where(chosen, values, 0).sum(axis=1) / total - density.sum())
    grid = (bins, bins)
    return Map(
        density=density.reshape(grid),
        density_error=density_error.reshape(grid),
        relative=relative.reshape(grid),
        relative_error=relative_error.reshape(grid),
        tokens=(weighted_number / total).reshape(grid),
        entries=number.sum(axis=0).reshape(grid),
        outside=max(outside, 0.0),
    )


def _cells(eta: Floats, phi: Floats, chosen: Mask, edges: Floats) -> tuple[NDArray[np.int64], Mask]:
    """Return the flat cell of every constituent on the grid, and which constituents those are."""
    bins = len(edges) - 1
    i = np.searchsorted(edges, eta, side="right") - 1
    j = np.searchsorted(edges, phi, side="right") - 1
    inside = chosen & (i >= 0) & (i < bins) & (j >= 0) & (j < bins)
    return (i * bins + j)[inside], inside


def rank_profile(values: Floats, tokens: Tokens, weight: Floats) -> tuple[Floats, Floats]:
    """Average the worth of the k-th hardest constituent of an event over the events that have one.

    Returns:
        (T,) mean of value × number of constituents, 1 for the average constituent, and its error; NaN
        where no event has so many constituents.
    """
    worth = values * tokens.mask.sum(axis=1, keepdims=True)
    order = np.argsort(tokens.rank, axis=1)
    return masked_mean(np.take_along_axis(worth, order, 1), np.take_along_axis(tokens.mask, order, 1), weight)


def masked_mean(values: Floats, mask: Mask, weight: Floats) -> tuple[Floats, Floats]:
    """Average over events, entry by entry, over those events in which the entry is real.

    Args:
        values: (N, …).
        mask: same shape.
        weight: (N,).

    Returns:
        The weighted mean and its error, without the first axis; NaN where no event has the entry.
    """
    w = weight.reshape(-1, *[1] * (values.ndim - 1)) * mask
    total = w.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (w * values).sum(axis=0) / total
        error = np.sqrt((w**2 * (values - np.nan_to_num(mean)) ** 2).sum(axis=0)) / total
    return mean, error
