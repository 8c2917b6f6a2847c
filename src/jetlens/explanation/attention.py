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
Arrays = dict[str, NDArray[Any]]
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


def attend(model: Any, features: FeatureSet, view: View, matrices: bool = False) -> tuple[Floats, Arrays]:
    """Gather the attention that each constituent gets, averaged over heads and layers, and the full matrices.

    Args:
        model: a Keras network.
        features: N events.
        view: from :func:`choose_view`.
        matrices: whether all layers' matrices are averaged, too, see :class:`Matrices`.

    Returns:
        (M, N, T), T slots of all jets, zero in padded slots; a constituent in fewer layers than another (each jet
        with layers of its own) is averaged over its own layers. And the arrays of :meth:`Matrices.arrays`, or none.
    """
    from jetlens.models import probe

    layers = probe.attention_layers(model) if matrices else view.layers
    streams = {name: probe.attention_streams(model, name) for name in layers}
    slots = {name: features.masks[name].shape[1] for name in view.streams}
    start = dict(zip(slots, np.cumsum([0, *slots.values()]), strict=False))
    values = np.zeros((len(view.queries), len(features), sum(slots.values())))
    number = np.zeros(values.shape[-1])
    averaged = Matrices(streams)
    for first in range(0, len(features), BATCH):
        part = slice(first, first + BATCH)
        scores = probe.attention_scores(model, network_inputs(features, part), layers, BATCH)
        for name in view.layers:
            query, keys = streams[name]
            per_query = _per_query(scores[name].mean(axis=1), query, features, part, len(view.queries))
            for stream, columns in _columns(keys, features).items():
                where = slice(start[stream], start[stream] + slots[stream])
                values[:, part, where] += per_query[..., columns].swapaxes(0, 1)
                number[where] += first == 0
        if matrices:
            averaged.add(scores, features, part)
    mask = np.concatenate([features.masks[name] for name in view.streams], axis=1)
    values = np.where(mask, values / np.maximum(number, 1), 0.0)
    return values, averaged.arrays() if matrices else {}


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


class Matrices:
    """Averages of the full score matrices of each layer and head over the events of each class.

    Slots of a jet are ordered in pT. An entry is averaged over the events in which both its query and its key are
    real. Heads of different trainings have nothing in common, so this is done for one network.

    Args:
        streams: query and key streams by layer.
    """

    def __init__(self, streams: Mapping[str, tuple[list[str], list[str]]]) -> None:
        """Start with no event."""
        self.streams = streams
        self.sums: dict[str, Floats] = {}

    def add(self, scores: Mapping[str, NDArray[np.float32]], features: FeatureSet, part: slice) -> None:
        """Add a batch of events."""
        for name, (query, keys) in self.streams.items():
            both = _real(query, features, part)[:, :, None] & _real(keys, features, part)[:, None, :]
            moments = _moments(scores[name], both, features.label[part], features.weight[part])
            self.sums[name] = self.sums[name] + moments if name in self.sums else moments

    def arrays(self) -> Arrays:
        """Return the averages.

        ``matrix_<layer>`` (C, H, Tq, Tk) with ``matrix_error_<layer>``, NaN where no event has the entry, and
        ``matrix_names`` (L,), ``matrix_query`` and ``matrix_keys`` (L,): streams joined by ``+``.
        """
        arrays: Arrays = {
            "matrix_names": np.array(list(self.streams)),
            "matrix_query": np.array(["+".join(query) for query, _ in self.streams.values()]),
            "matrix_keys": np.array(["+".join(keys) for _, keys in self.streams.values()]),
        }
        for name, (w, ws, w2, w2s, w2s2) in self.sums.items():
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = ws / w
                variance = np.maximum(w2s2 - 2 * mean * w2s + mean**2 * w2, 0)
                arrays[f"matrix_{name}"] = mean.astype(np.float32)
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
    shape = scores.shape[1:]
    moments = np.zeros((5, 2, *shape))
    for number, truth in enumerate((1, 0)):
        w = np.where(label == truth, weight, 0.0)
        s = np.where(both[:, None], scores, np.float32(0)).astype(np.float64)
        real = both.astype(np.float64)
        moments[0, number] = np.tensordot(w, real, 1)
        moments[1, number] = np.tensordot(w, s, 1)
        moments[2, number] = np.tensordot(w**2, real, 1)
        moments[3, number] = np.tensordot(w**2, s, 1)
        moments[4, number] = np.tensordot(w**2, s**2, 1)
    return moments
