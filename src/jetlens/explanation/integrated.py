"""Integrated gradients (Sundararajan, Taly, Yan, arXiv:1703.01365), from two baselines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.network import BATCH, embedded_tokens, network_of, pair_biases
from jetlens.explanation.players import reads_event
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]
Point = dict[str, NDArray[Any]]
ROWS = 256
"""Events times points of the path that a gradient is taken of at a time."""
BASELINES = ("empty token", "mean token")
CROWDED = (2, 1)
"""Powers that crowd the points of either path at its start, see :func:`integrate`. A token's first normalisation makes
an embedding α x the same for all α but the first thousandth of the path from the empty token: there it all happens."""
TOLERANCE = 0.01
"""Residual, over the mean |z − z(baseline)| of all events, beyond which an event is integrated again."""
FINER = 4
"""Times as many points, then."""


def integrate(
    slopes: Callable[[Floats, Floats], Point],
    length: Mapping[str, NDArray[Any]],
    steps: int,
    at_once: int = 1,
    power: int = 1,
) -> dict[str, Floats]:
    """Return (end − start) · ∫₀¹ ∇f(start + α (end − start)) dα, array by array, by Gauss-Legendre quadrature.

    With α = tᵖ and dα = p tᵖ⁻¹ dt, in t: exact for polynomials ∇f of degree ≤ (2 steps − p)/p, and with points
    enough near the start for what changes fast there.

    Args:
        slopes: for K places α_k on the path and as many weights w_k, Σ_k w_k ∇f at α_k, arrays (B, …).
        length: end − start, same names and shapes.
        steps: points of the path.
        at_once: K, points that are asked for together.
        power: p.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    nodes, weights = (nodes + 1) / 2, weights / 2
    nodes, weights = nodes**power, weights * power * nodes ** (power - 1)
    total = {name: np.zeros(x.shape) for name, x in length.items()}
    for first in range(0, steps, at_once):
        some = slice(first, first + at_once)
        for name, slope in slopes(nodes[some], weights[some]).items():
            total[name] += slope
    return {name: total[name] * x for name, x in length.items()}


def integrated_gradients(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return integrated gradients of the logit from two baselines, and what each integral misses.

    ``empty token``: tokens are there, but their embeddings are zero, without content; the path lies in the embedding.
    Where attention is biased by pairs of constituents the bias starts at zero, too, and what it is worth is shared
    evenly by the two. A mask itself is a yes or no, along which nothing can be integrated. ``mean token``: every token
    is the mean token of its stream; the path lies in the features. Event features start at their mean in both. A
    token's relevance is the sum over its channels or features. Events whose integral misses too much of
    z − z(baseline) are done again with more points.

    Args:
        model: a network.
        features: N events.
        settings: ``integration_steps``.

    Returns:
        Two maps, with ``residual`` (2, N): z − z(baseline) − the sum of all relevances, and ``difference`` (2, N):
        z − z(baseline).
    """

    paths = _paths(model, features)
    found = [
        _integrated(cut, power, model, features, means, settings.integration_steps)
        for cut, power, means in paths
    ]
    for share, (cut, power, means) in zip(found, paths, strict=True):
        again = np.flatnonzero(np.abs(share.residual) > TOLERANCE * np.abs(share.difference).mean())
        if len(again):
            steps = FINER * settings.integration_steps
            share.put(again, _integrated(cut, power, model, features.select(again), means, steps))
    value, event_value, residual, difference = (
        np.stack([getattr(share, name) for share in found])
        for name in ("value", "event_value", "residual", "difference")
    )
    return Relevance(
        BASELINES, value, event_value, per_event={"residual": residual, "difference": difference}
    )


@dataclass(frozen=True)
class _Shares:
    """Of N events along one path: ``value`` (N, T), ``event_value`` (N, E), ``residual``, ``difference`` (N,)."""

    value: Floats
    event_value: Floats
    residual: Floats
    difference: Floats

    def put(self, index: NDArray[np.int64], other: _Shares) -> None:
        """Put other shares in the place of some events'."""
        for name in ("value", "event_value", "residual", "difference"):
            getattr(self, name)[index] = getattr(other, name)


def _paths(model: TrainedModel, features: FeatureSet) -> list[tuple[Any, int, dict[str, Floats]]]:
    """Return where the network is cut open for each path, how points crowd on it, and where what is named starts."""
    means = _means(features, list(model.streams))
    cuts = _cuts(network_of(model).to_json(), tuple(model.streams), reads_event(model))
    return list(zip(cuts, CROWDED, ({"event": means["event"]}, means), strict=True))


@functools.lru_cache(maxsize=4)
def _cuts(architecture: str, streams: tuple[str, ...], event: bool) -> tuple[Any, Any]:
    """Return an architecture, cut open for each path: once for all trainings of it."""
    import keras

    from jetlens.models import probe

    network = keras.models.model_from_json(architecture)
    pairs = {_pairs(name): bias for name, bias in pair_biases(network, streams).items()}
    also = ["event"] if event else []
    return (
        probe.Cut(network, embedded_tokens(network, streams) | pairs, also),
        probe.Cut(network, {}, [*streams, *also]),
    )


def _integrated(
    cut: Any, power: int, model: TrainedModel, features: FeatureSet, means: Mapping[str, Floats], steps: int
) -> _Shares:
    """Return the shares of all events along one path, batch by batch."""
    cut.fill(network_of(model))
    streams, number = list(model.streams), len(features)
    slots = sum(features.masks[name].shape[1] for name in streams)
    shares = _Shares(np.zeros((number, slots)), np.zeros(features.event.shape), *np.zeros((2, number)))
    free = [name for name in streams if not features.metadata.streams[name].tokens]
    order = np.argsort(sum(features.masks[name].sum(axis=1) for name in streams), kind="stable")
    for first in range(0, number, BATCH):
        part = order[first : first + BATCH]
        inputs = _short({name: array[part] for name, array in input_arrays(features, streams).items()}, free)
        end = cut.point(inputs)
        start = {name: _start(name, x, inputs, means.get(name)) for name, x in end.items()}
        length = {name: x - start[name] for name, x in end.items()}
        at_once = max(1, ROWS // len(inputs["event"]))
        found = integrate(cut.along(start, length, inputs), length, steps, at_once, power)
        begin = 0
        for name in streams:
            if name in found:
                own = found[name].sum(axis=-1)
                if _pairs(name) in found:
                    own += found[_pairs(name)].sum(axis=(1, 2)) / 2 + found[_pairs(name)].sum(axis=(1, 3)) / 2
                shares.value[part, begin : begin + own.shape[1]] = own
            begin += features.masks[name].shape[1]
        shares.event_value[part] = found.get("event", 0.0)
        shares.difference[part] = cut.logits(end, inputs) - cut.logits(start, inputs)
        shared = shares.value[part].sum(axis=1) + shares.event_value[part].sum(axis=1)
        shares.residual[part] = shares.difference[part] - shared
    return shares


def _short(inputs: Point, streams: list[str]) -> Point:
    """Return inputs without the slots at the end of streams that are empty in all of these events."""
    for name in streams:
        mask = inputs[f"{name}_mask"]
        last = int(np.flatnonzero(mask.any(axis=0)).max(initial=0)) + 1
        inputs |= {name: inputs[name][:, :last], f"{name}_mask": mask[:, :last]}
    return inputs


def _pairs(stream: str) -> str:
    """Return what the bias by pairs of a stream is called at a point of the path."""
    return f"{stream} pairs"


def _start(name: str, end: NDArray[Any], inputs: Point, mean: Floats | None) -> NDArray[Any]:
    """Return where the path to ``end`` starts: at the mean, or at zero; padded slots stay as they are."""
    start = np.zeros_like(end) if mean is None else np.broadcast_to(mean, end.shape).astype(end.dtype)
    return start if f"{name}_mask" not in inputs else np.where(inputs[f"{name}_mask"][..., None], start, end)


def _means(features: FeatureSet, streams: list[str]) -> dict[str, Floats]:
    """Return the mean features of a stream's real tokens, of each named token by itself, and of the events."""
    means = {"event": features.event.mean(axis=0, dtype=np.float64)}
    for name in streams:
        values, mask = features.streams[name].astype(np.float64), features.masks[name]
        axis: tuple[int, ...] = (0,) if features.metadata.streams[name].tokens else (0, 1)
        number = np.maximum(mask.sum(axis=axis), 1)
        means[name] = (values * mask[..., None]).sum(axis=axis) / number[..., None]
    return means
