"""What heads of attention look at: their matrices averaged over events, and numbers that sum them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.explanation.maps import has_positions
from jetlens.explanation.network import CLASS
from jetlens.features.featurefile import FeatureSet

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]
Layers = Mapping[str, tuple[list[str], list[str]]]
TYPES = {"is_track": "tracks", "is_photon": "photons", "is_neutral_hadron": "neutral hadrons"}
"""Features that say what a constituent is, and what they are called in a table."""


class Heads:
    """Sums up what each head looks at, class by class: one row per layer and head.

    Args:
        layers: query and key streams by layer.
        features: N events.
    """

    def __init__(self, layers: Layers, features: FeatureSet) -> None:
        """Find out what the keys are."""
        self.layers, self.features = layers, features
        self.kinds = {name: self._kinds(keys) for name, (_, keys) in layers.items()}
        self.values: dict[str, list[Floats]] = {name: [] for name in layers}
        self.names = list(dict.fromkeys(kind for kinds in self.kinds.values() for kind in kinds))

    def _kinds(self, keys: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Return (N, Tk) by name: which keys are tracks, photons, or a certain kinematic token."""
        masks = [_real([key], self.features, slice(None)) for key in keys]
        width = sum(mask.shape[1] for mask in masks)
        kinds: dict[str, NDArray[np.bool_]] = {}
        start = 0
        for key, mask in zip(keys, masks, strict=True):
            for name, which in self._parts(key, mask).items():
                whole = kinds.setdefault(name, np.zeros((len(self.features), width), dtype=bool))
                whole[:, start : start + mask.shape[1]] |= which
            start += mask.shape[1]
        return kinds

    def _parts(self, key: str, mask: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        if key == CLASS:
            return {"class token": mask}
        stream = self.features.metadata.streams[key]
        if stream.tokens:
            slots = np.arange(mask.shape[1])
            return {token: mask & (slots == i) for i, token in enumerate(stream.tokens)}
        flags = {TYPES[name]: i for i, name in enumerate(stream.features) if name in TYPES}
        values = self.features.streams[key]
        return {name: mask & (values[..., i] > 0.5) for name, i in flags.items()} or {key: mask}

    def add(self, scores: Mapping[str, NDArray[np.float32]], part: slice) -> None:
        """Add a batch of events: per event and head the entropy, the distance, and the share of each kind of key."""
        for name, (query, keys) in self.layers.items():
            own = np.asarray(scores[name], dtype=np.float64)
            asks, real = (_real(streams, self.features, part) for streams in (query, keys))
            weight = (asks / np.maximum(asks.sum(axis=1, keepdims=True), 1))[:, None, :]
            entropy = -(own * np.log(np.where(own > 0, own, 1))).sum(axis=-1)
            entropy /= np.log(np.maximum(real.sum(axis=1), 2))[:, None, None]
            columns = [(entropy * weight).sum(axis=-1), self._distance(own, weight, query, keys, part)]
            for kind in self.names:
                which = self.kinds[name].get(kind)
                if which is None:
                    columns.append(np.full(own.shape[:2], np.nan))
                else:
                    columns.append(((own * which[part][:, None, None, :]).sum(axis=-1) * weight).sum(axis=-1))
            self.values[name].append(np.stack(columns, axis=-1))

    def _distance(
        self, own: Floats, weight: Floats, query: Sequence[str], keys: Sequence[str], part: slice
    ) -> Floats:
        """Return (B, H): ΔR from query to key within one jet, from the jet's axis for a query without a place in it."""
        placed = [key for key in keys if key != CLASS and has_positions(self.features, key)]
        if not placed or len(placed) + (CLASS in keys) != len(keys):
            return np.full(own.shape[:2], np.nan)

        def place(streams: Sequence[str], feature: str) -> Floats:
            parts = []
            for name in streams:
                if name == CLASS:
                    parts.append(np.zeros((len(own), 1)))
                    continue
                names = self.features.metadata.streams[name].features
                parts.append(self.features.streams[name][part][..., names.index(feature)].astype(np.float64))
            return np.concatenate(parts, axis=1)

        eta, phi = (place(keys, feature)[:, None, :] for feature in ("delta_eta", "delta_phi"))
        if list(query) == list(keys) and len(placed) == 1:
            eta, phi = (x - x.swapaxes(1, 2) for x in (eta, phi))
        distance = np.hypot(eta, phi)[:, None]
        return np.asarray(((own * distance).sum(axis=-1) * weight).sum(axis=-1))

    def arrays(self) -> Arrays:
        """Return the table, one row per layer and head: R rows, C classes (signal, background), K kinds of keys.

        ``head_layer`` (R,), ``head_number`` (R,); ``head_entropy`` (R, C), 1 for even attention; ``head_distance``
        (R, C); ``head_share`` (R, C, K) of the kinds ``head_kinds`` (K,); each with ``…_error``, from the spread
        between events. NaN where a head's keys have no place, or are not of that kind.
        """
        layer, number, means, errors = [], [], [], []
        for name, parts in self.values.items():
            values = np.concatenate(parts)
            for head in range(values.shape[1]):
                layer.append(name)
                number.append(head + 1)
                rows = [self._mean(values[:, head], truth) for truth in (1, 0)]
                means.append([mean for mean, _ in rows])
                errors.append([error for _, error in rows])
        arrays: Arrays = {
            "head_layer": np.array(layer), "head_number": np.array(number), "head_kinds": np.array(self.names)
        }  # fmt: skip
        for suffix, table in (("", np.array(means)), ("_error", np.array(errors))):
            arrays[f"head_entropy{suffix}"] = table[..., 0]
            arrays[f"head_distance{suffix}"] = table[..., 1]
            arrays[f"head_share{suffix}"] = table[..., 2:]
        return arrays

    def _mean(self, values: Floats, truth: int) -> tuple[Floats, Floats]:
        chosen = self.features.label == truth
        w = self.features.weight[chosen][:, None]
        total = w.sum()
        if not chosen.any() or total == 0:
            return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
        mean = (w * values[chosen]).sum(axis=0) / total
        return mean, np.sqrt((w**2 * (values[chosen] - mean) ** 2).sum(axis=0)) / total


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
