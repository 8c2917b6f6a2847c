"""Tests of explanations: does the network lose its mind when what they mark is taken away?

Deletion removes constituents in the order of a map, insertion brings them back in it (Petsiuk et al., RISE,
arXiv:1806.07421). A constituent is removed by its mask, as if it had never been reconstructed; kinematic tokens and
event features stay as they are. Random order and pT order are the yardsticks: a map that does no better than pT
explains nothing beyond pT. Randomised weights (Adebayo et al., arXiv:1810.03292) must change the map.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.features.featurefile import FeatureSet

Floats = NDArray[np.float64]
Logits = Callable[[FeatureSet], NDArray[Any]]
RANDOM_ORDERS = 2


def keep(features: FeatureSet, streams: Sequence[str], kept: NDArray[np.bool_]) -> FeatureSet:
    """Return the events with only the kept constituents left.

    Args:
        features: N events.
        streams: streams of constituents, T slots together.
        kept: (N, T).
    """
    values, masks, position = dict(features.streams), dict(features.masks), 0
    for name in streams:
        width = masks[name].shape[1]
        masks[name] = masks[name] & kept[:, position : position + width]
        values[name] = np.where(masks[name][..., None], values[name], np.float32(0))
        position += width
    return dataclasses.replace(features, streams=values, masks=masks)


def removal_curves(
    logits: Logits,
    features: FeatureSet,
    streams: Sequence[str],
    orders: Mapping[str, Floats],
    steps: int,
    seed: int,
) -> tuple[Floats, dict[str, dict[str, Floats]]]:
    """Follow the network's output while constituents are removed, or brought back, in several orders.

    Args:
        logits: the network: events to logits (N,).
        features: N events.
        streams: streams of constituents, T slots together.
        orders: values per constituent (N, T), largest first; random orders are added.
        steps: points between all and no constituents, both included.
        seed: of the random orders.

    Returns:
        Shares of constituents removed (deletion) or brought back (insertion), (steps,), and by order
        ``{"deletion": (N, steps), "insertion": (N, steps)}`` probabilities of being signal.
    """
    mask = np.concatenate([features.masks[name] for name in streams], axis=1)
    shares = np.linspace(0, 1, steps)
    rng = np.random.default_rng(seed)
    ranks = {name: _ranks(values, mask) for name, values in orders.items()}
    ranks |= {f"random {k}": _ranks(rng.random(mask.shape), mask) for k in range(RANDOM_ORDERS)}
    kept = [mask, np.zeros_like(mask)]
    for rank in ranks.values():
        counts = [np.round(share * mask.sum(axis=1))[:, None] for share in shares[1:-1]]
        kept += [mask & (rank >= count) for count in counts] + [mask & (rank < count) for count in counts]
    complete, empty, *between = _outputs(logits, features, streams, kept)
    result, inner = {}, steps - 2
    for number, name in enumerate(ranks):
        own = between[2 * inner * number : 2 * inner * (number + 1)]
        result[name] = {
            "deletion": np.stack([complete, *own[:inner], empty], axis=1),
            "insertion": np.stack([empty, *own[inner:], complete], axis=1),
        }
    random = [result.pop(f"random {k}") for k in range(RANDOM_ORDERS)]
    result["random"] = {
        kind: np.mean([c[kind] for c in random], axis=0) for kind in ("deletion", "insertion")
    }
    return shares, result


def _outputs(
    logits: Logits, features: FeatureSet, streams: Sequence[str], kept: Sequence[NDArray[np.bool_]]
) -> list[Floats]:
    """Return the probability of being signal (N,) for each choice of kept constituents.

    All choices are scored together, those with most constituents first, since batches are trimmed to their longest.
    """
    choices = np.concatenate(kept)
    order = np.argsort(-choices.sum(axis=1), kind="stable")
    events = np.tile(np.arange(len(features)), len(kept))[order]
    z = np.empty(len(order))
    z[order] = logits(keep(features.select(events), streams, choices[order]))
    return list(np.split(1 / (1 + np.exp(-np.clip(z, -700, 700))), len(kept)))


def _ranks(values: Floats, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return 0 for the largest value of an event; padded slots come last, ties in the order of slots."""
    order = np.argsort(-np.where(mask, values, -np.inf), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(mask.shape[1]), order.shape), axis=1)
    return rank


def area(shares: Floats, curve: Floats) -> Floats:
    """Return the area under (N, steps) curves, per event: the mean output along the way."""
    return np.asarray(np.trapezoid(curve, shares, axis=1))


def summarise_curves(shares: Floats, per_seed: Sequence[dict[str, dict[str, Floats]]]) -> dict[str, Any]:
    """Average curves over events and seeds, with errors, and compare each order with random and with pT order.

    Args:
        shares: (steps,).
        per_seed: from :func:`removal_curves`, one per training seed, same events.

    Returns:
        By ``deletion`` and ``insertion``, by order: ``curve`` and ``curve_error`` (standard error over events of
        the mean over seeds), ``area``, ``area_error``, ``area_spread`` (standard deviation over seeds), and, for
        other orders ``random`` and ``pt``, ``minus_<other>``: the paired difference of the area and its error, and
        ``curve_error_minus_<other>``: the error of the paired difference along the curve. A difference below zero
        is good for deletion, above zero for insertion.
    """
    result: dict[str, Any] = {"share": _plain(shares)}
    for kind in ("deletion", "insertion"):
        mean = {name: np.mean([curves[name][kind] for curves in per_seed], axis=0) for name in per_seed[0]}
        areas = {name: area(shares, curve) for name, curve in mean.items()}
        result[kind] = {}
        for name, curve in mean.items():
            seeds = [float(area(shares, curves[name][kind]).mean()) for curves in per_seed]
            entry: dict[str, Any] = {
                "curve": _plain(curve.mean(axis=0)),
                "curve_error": _plain(_error(curve)),
                "area": _round(areas[name].mean()),
                "area_error": _round(_error(areas[name])),
                "area_spread": _round(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
            }
            for other in ("random", "pt"):
                if name != other:
                    difference = areas[name] - areas[other]
                    entry[f"minus_{other}"] = [_round(difference.mean()), _round(_error(difference))]
                    entry[f"curve_error_minus_{other}"] = _plain(_error(curve - mean[other]))
            result[kind][name] = entry
    return result


def rank_correlation(first: Floats, second: Floats, mask: NDArray[np.bool_]) -> tuple[float, float] | None:
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
        values.append(np.corrcoef(_mean_ranks(a[real]), _mean_ranks(b[real]))[0, 1])
    if not values:
        return None
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return float(np.mean(values)), error


def _mean_ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def randomise_weights(model: Any, seed: int) -> None:
    """Shuffle the entries of every trainable array of a Keras network in place.

    Shuffling keeps each array's distribution, so activations stay of the same size while all that was learnt of
    their arrangement is gone. What is standardised stays standardised.
    """
    import keras

    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        values = keras.ops.convert_to_numpy(variable)
        variable.assign(rng.permutation(values.ravel()).reshape(values.shape))


def _error(values: Floats) -> Floats:
    """Return the standard error of the mean over the first axis."""
    number = len(values)
    return (
        np.asarray(values.std(axis=0, ddof=1) / np.sqrt(number)) if number > 1 else np.zeros(values.shape[1:])
    )


def _plain(values: Floats) -> list[float]:
    return [_round(x) for x in values]


def _round(value: Any) -> float:
    return round(float(value), 6)
