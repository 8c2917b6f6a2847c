"""Integrated gradients (Sundararajan, Taly, Yan, arXiv:1703.01365), from two baselines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.network import BATCH, copy_of, embedded_tokens, network_of
from jetlens.explanation.players import reads_event
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]
Point = dict[str, NDArray[Any]]
ROWS = 1024
"""Events times points of the path that a gradient is taken of at a time."""
BASELINES = ("empty token", "mean token")


def integrate(
    slopes: Callable[[Point], Point], start: Point, end: Point, steps: int, at_once: int = 1
) -> dict[str, Floats]:
    """Return (end − start) · ∫₀¹ ∇f(start + α (end − start)) dα, array by array, by Gauss-Legendre quadrature.

    Args:
        slopes: the gradient of f at a point; of K points, one behind the other on the first axis.
        start: the baseline, arrays (B, …).
        end: what is explained, same names and shapes.
        steps: points of the path.
        at_once: K, points that are asked for together.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    nodes, weights = (nodes + 1) / 2, weights / 2
    length = {name: np.asarray(end[name], np.float64) - start[name] for name in end}
    total = {name: np.zeros(x.shape) for name, x in length.items()}
    for first in range(0, steps, at_once):
        some, w = nodes[first : first + at_once], weights[first : first + at_once]
        point = {
            name: np.concatenate([start[name] + x * node for node in some]) for name, x in length.items()
        }
        for name, slope in slopes(point).items():
            total[name] += np.tensordot(w, np.reshape(slope, (len(some), *length[name].shape)), 1)
    return {name: total[name] * x for name, x in length.items()}


def integrated_gradients(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return integrated gradients of the logit from two baselines, and what each integral misses.

    ``empty token``: tokens are there, but their embeddings are zero, without content; the path lies in the embedding.
    A mask itself is a yes or no, along which nothing can be integrated. ``mean token``: every token is the mean token
    of its stream; the path lies in the features. Event features start at their mean in both. A token's relevance is
    the sum over its channels or features.

    Args:
        model: a network.
        features: N events.
        settings: ``integration_steps``.

    Returns:
        Two maps, with ``residual`` (2, N): z − z(baseline) − the sum of all relevances, and ``difference`` (2, N):
        z − z(baseline).
    """
    from jetlens.models import probe

    network = copy_of(network_of(model))
    streams = list(model.streams)
    event = ["event"] if reads_event(model) else []
    embedded = embedded_tokens(network, streams)
    means = _means(features, streams)
    number = len(features)
    masks = [features.masks[name] for name in streams]
    value = np.zeros((2, number, sum(mask.shape[1] for mask in masks)))
    event_value = np.zeros((2, *features.event.shape))
    residual, difference = np.zeros((2, number)), np.zeros((2, number))
    paths = (probe.Cut(network, embedded, event), probe.Cut(network, {}, [*streams, *event]))
    for first in range(0, number, BATCH):
        part = slice(first, first + BATCH)
        inputs = {name: array[part] for name, array in input_arrays(features, streams).items()}
        for m, cut in enumerate(paths):
            end = cut.point(inputs)
            start = {
                name: _start(name, x, inputs, None if m == 0 and name != "event" else means[name])
                for name, x in end.items()
            }
            at_once = max(1, ROWS // len(inputs["event"]))
            found = integrate(partial(_slopes, cut, inputs), start, end, settings.integration_steps, at_once)
            value[m, part] = np.concatenate(
                [
                    found[s].sum(axis=-1) if s in found else np.zeros(inputs[f"{s}_mask"].shape)
                    for s in streams
                ],
                axis=1,
            )
            event_value[m, part] = found.get("event", 0.0)
            difference[m, part] = cut.logits(end, inputs) - cut.logits(start, inputs)
            shared = value[m, part].sum(axis=1) + event_value[m, part].sum(axis=1)
            residual[m, part] = difference[m, part] - shared
    return Relevance(
        BASELINES, value, event_value, per_event={"residual": residual, "difference": difference}
    )


def _slopes(cut: Any, inputs: Point, points: Point) -> Point:
    """Return the gradients at several points of the same B events, one behind the other."""
    times = len(next(iter(points.values()))) // len(inputs["event"])
    repeated = {name: np.concatenate([array] * times) for name, array in inputs.items()}
    slopes: Point = cut.slopes(points, repeated)
    return slopes


def _start(name: str, end: NDArray[Any], inputs: Point, mean: Floats | None) -> NDArray[Any]:
    """Return where the path to ``end`` starts: at the mean, or at zero; padded slots stay as they are."""
    start = np.zeros_like(end) if mean is None else np.broadcast_to(mean, end.shape).astype(end.dtype)
    return start if name == "event" else np.where(inputs[f"{name}_mask"][..., None], start, end)


def _means(features: FeatureSet, streams: list[str]) -> dict[str, Floats]:
    """Return the mean features of a stream's real tokens, of each named token by itself, and of the events."""
    means = {"event": features.event.mean(axis=0, dtype=np.float64)}
    for name in streams:
        values, mask = features.streams[name].astype(np.float64), features.masks[name]
        axis: tuple[int, ...] = (0,) if features.metadata.streams[name].tokens else (0, 1)
        number = np.maximum(mask.sum(axis=axis), 1)
        means[name] = (values * mask[..., None]).sum(axis=axis) / number[..., None]
    return means
