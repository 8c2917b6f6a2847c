"""Attention of trained networks, read off the very forward pass that scores the events.

Layers in which tokens of another kind (kinematic tokens, a class token) look at constituents answer what a physicist
asks: where in the jets does the network look? Their attention is averaged over heads and layers, per query token.
Where a network has no such layers, the attention that constituents receive from each other takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError
from jetlens.explanation.maps import has_positions
from jetlens.features.featurefile import FeatureMetadata, FeatureSet

Floats = NDArray[np.float64]
BATCH = 128


@dataclass(frozen=True)
class View:
    """Which layers are averaged, and whose attention it is.

    Attributes:
        layers: attention layers, all with the same queries.
        query: streams of the query axis.
        queries: names of the maps, one per query token or one for all of them.
        streams: streams of constituents that are looked at.
    """

    layers: list[str]
    query: list[str]
    queries: list[str]
    streams: list[str]


def choose_view(
    layers: Mapping[str, tuple[list[str], list[str]]], features: FeatureSet, variant: str
) -> View:
    """Choose the attention layers that show best where in the jets a network looks.

    Args:
        layers: query and key streams by layer, in order of the forward pass.
        features: tell which streams have places in a jet.
        variant: name of the variant, for messages.

    Raises:
        ConfigError: if no layer attends to constituents.
    """

    def placed(keys: Sequence[str]) -> list[str]:
        own = [key for key in keys if key != "class"]
        return own if all(has_positions(features, key) for key in own) else []

    groups: dict[tuple[str, ...], list[str]] = {}
    for name, (query, keys) in layers.items():
        if placed(keys):
            groups.setdefault(tuple(query), []).append(name)
    if not groups:
        raise ConfigError(
            f"explanation.variants: '{variant}' has no attention to constituents with delta_eta and delta_phi; "
            f"name a variant whose streams hold both"
        )

    def order(query: tuple[str, ...]) -> int:
        if query == ("class",):
            return 1
        return 0 if set(query).isdisjoint(key for n in groups[query] for key in layers[n][1]) else 2

    best = min(order(query) for query in groups)
    chosen = [query for query in groups if order(query) == best]
    # several groups of one kind (each jet's own self-attention): one map of them all
    names = [name for query in chosen for name in groups[query]]
    streams = list(dict.fromkeys(key for name in names for key in placed(layers[name][1])))
    query = list(chosen[0]) if len(chosen) == 1 else []
    return View(names, query, _query_names(query, features.metadata), streams)


def _query_names(query: Sequence[str], metadata: FeatureMetadata) -> list[str]:
    if list(query) == ["class"]:
        return ["class token"]
    if len(query) == 1 and metadata.streams[query[0]].tokens:
        return [short_name(token) for token in metadata.streams[query[0]].tokens]
    return ["all constituents"]


def short_name(token: str) -> str:
    """Return ``J1+J2`` for ``fat_jets[0]+fat_jets[1]``, ``j1`` for ``jets[0]``."""
    text = re.sub(r"fat_jets\[(\d+)\]", lambda match: f"J{int(match[1]) + 1}", token)
    return re.sub(r"jets\[(\d+)\]", lambda match: f"j{int(match[1]) + 1}", text)


def network_inputs(features: FeatureSet, chosen: slice = slice(None)) -> dict[str, NDArray[Any]]:
    """Return the arrays a network may read, by their names in the feature file."""
    arrays: dict[str, NDArray[Any]] = {"event": features.event[chosen]}
    for name, values in features.streams.items():
        arrays[name] = values[chosen]
        arrays[f"{name}_mask"] = features.masks[name][chosen]
    return arrays


def attention_values(model: Any, features: FeatureSet, view: View) -> Floats:
    """Return the attention that each constituent gets, averaged over heads and layers.

    Args:
        model: a Keras network.
        features: N events.
        view: from :func:`choose_view`.

    Returns:
        (M, N, T), T slots of all jets; zero in padded slots. A constituent in fewer layers than another (each jet
        with layers of its own) is averaged over its own layers.
    """
    from jetlens.models import probe

    streams = {name: probe.attention_streams(model, name) for name in view.layers}
    slots = {name: features.masks[name].shape[1] for name in view.streams}
    start = dict(zip(slots, np.cumsum([0, *slots.values()]), strict=False))
    total = sum(slots.values())
    values = np.zeros((len(view.queries), len(features), total))
    layers = np.zeros(total)
    for first in range(0, len(features), BATCH):
        part = slice(first, first + BATCH)
        scores = probe.attention_scores(model, network_inputs(features, part), view.layers)
        for name, (query, keys) in streams.items():
            per_query = _per_query(scores[name].mean(axis=1), query, features, part, len(view.queries))
            for stream, columns in _columns(keys, features).items():
                where = slice(start[stream], start[stream] + slots[stream])
                values[:, part, where] += per_query[..., columns].swapaxes(0, 1)
                layers[where] += first == 0
    mask = np.concatenate([features.masks[name] for name in view.streams], axis=1)
    return np.asarray(np.where(mask, values / np.maximum(layers, 1), 0.0))


def _per_query(
    scores: NDArray[np.float32], query: Sequence[str], features: FeatureSet, part: slice, maps: int
) -> NDArray[np.float32]:
    """Reduce (B, Tq, Tk) to (B, M, Tk): as it is, or the mean over real queries."""
    if maps == scores.shape[1]:
        return scores
    real = np.concatenate([features.masks[name][part] for name in query], axis=1).astype(np.float32)
    weight = real / np.maximum(real.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.einsum("bq,bqk->bk", weight, scores)[:, None])


def _columns(keys: Sequence[str], features: FeatureSet) -> dict[str, slice]:
    """Return where on a layer's key axis each stream is; the class token has one slot."""
    columns, position = {}, 0
    for key in keys:
        width = 1 if key == "class" else features.masks[key].shape[1]
        if key != "class":
            columns[key] = slice(position, position + width)
        position += width
    return columns


def attention_matrices(
    model: Any, features: FeatureSet, layers: Sequence[str]
) -> dict[str, NDArray[np.float64] | NDArray[np.str_]]:
    """Average the full score matrices of each layer and head over the events of each class.

    Slots of a jet are ordered in pT. An entry is averaged over the events in which both its query and its key are
    real. Heads of different trainings have nothing in common, so this is done for one network.

    Returns:
        ``matrix_<layer>`` (C, H, Tq, Tk) with ``matrix_error_<layer>``, NaN where no event has the entry, and
        ``matrix_names`` (L,), ``matrix_query`` and ``matrix_keys`` (L,): streams joined by ``+``.
    """
    from jetlens.models import probe

    streams = {name: probe.attention_streams(model, name) for name in layers}
    sums: dict[str, Floats] = {}
    for first in range(0, len(features), BATCH):
        part = slice(first, first + BATCH)
        scores = probe.attention_scores(model, network_inputs(features, part), layers)
        for name, (query, keys) in streams.items():
            both = _real(query, features, part)[:, :, None] & _real(keys, features, part)[:, None, :]
            moments = _moments(scores[name], both, features.label[part], features.weight[part])
            sums[name] = sums[name] + moments if name in sums else moments
    arrays: dict[str, Any] = {
        "matrix_names": np.array(list(layers)),
        "matrix_query": np.array(["+".join(streams[name][0]) for name in layers]),
        "matrix_keys": np.array(["+".join(streams[name][1]) for name in layers]),
    }
    for name, (w, ws, w2, w2s, w2s2) in sums.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = ws / w
            arrays[f"matrix_{name}"] = mean.astype(np.float32)
            variance = np.maximum(w2s2 - 2 * mean * w2s + mean**2 * w2, 0)
            arrays[f"matrix_error_{name}"] = (np.sqrt(variance) / w).astype(np.float32)
    return arrays


def _real(streams: Sequence[str], features: FeatureSet, part: slice) -> NDArray[np.bool_]:
    ones = np.ones((len(features.label[part]), 1), dtype=bool)
    masks = [ones if name == "class" else features.masks[name][part] for name in streams]
    return np.concatenate(masks, axis=1)


def _moments(
    scores: NDArray[np.float32], both: NDArray[np.bool_], label: NDArray[np.int8], weight: Floats
) -> Floats:
    """Return Σw, Σw·s, Σw², Σw²·s, Σw²·s² of (B, H, Tq, Tk) scores, per class: (5, C, H, Tq, Tk)."""
    moments = np.zeros((5, 2, *scores.shape[1:]))
    for number, truth in enumerate((1, 0)):
        chosen = label == truth
        w = weight[chosen]
        s, real = scores[chosen].astype(np.float64), both[chosen].astype(np.float64)
        shape = scores.shape[1:]
        for row, (power, values) in enumerate(((w, None), (w, s), (w**2, None), (w**2, s), (w**2, s**2))):
            if values is None:
                moments[row, number] = np.broadcast_to(np.tensordot(power, real, 1)[None], shape)
            else:
                moments[row, number] = np.einsum("b,bqk,bhqk->hqk", power, real, values, optimize=True)
    return moments
