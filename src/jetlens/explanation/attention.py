"""Attention of trained networks, read off the very forward pass that scores the events.

It shows where a network looks, which is not what decides: it is here for comparison with arXiv:2401.00452. Layers in
which tokens of another kind (kinematic tokens, a class token) look at constituents come first; where a network has
none, the attention that tokens of one set receive from each other takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.errors import ConfigError
from jetlens.explanation.heads import Heads, Matrices
from jetlens.explanation.network import BATCH, CLASS, JointTokens, attention_layout, network_of
from jetlens.explanation.relevance import Arrays, Relevance
from jetlens.features.featurefile import FeatureMetadata, FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]
Layers = Mapping[str, tuple[list[str], list[str]]]


@dataclass(frozen=True)
class View:
    """Which layers are averaged, and whose attention it is.

    Attributes:
        layers: attention layers, all with the same queries.
        query: streams of the query axis; none where each set looks at itself.
        queries: names of the maps, one per query token or one for all of them.
    """

    layers: list[str]
    query: list[str]
    queries: list[str]


def choose_view(layers: Layers, metadata: FeatureMetadata, variant: str = "") -> View:
    """Choose the attention layers that show best what a network looks at.

    Args:
        layers: query and key streams by layer, in order of the forward pass.
        metadata: tells what tokens are.
        variant: its name, for messages.

    Raises:
        ConfigError: if there is no layer.
    """
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for name, (query, keys) in layers.items():
        groups.setdefault((tuple(query), tuple(keys)), []).append(name)
    if not groups:
        raise ConfigError(f"explanation.methods: '{variant}' has no layer of attention; leave attention out")

    def order(query: Sequence[str], keys: Sequence[str]) -> tuple[int, int]:
        own = set(keys) - {CLASS}
        inside = any(metadata.streams[key].kind == "constituents" for key in own)
        return (0 if inside else 1), (1 if query == (CLASS,) else 0 if own.isdisjoint(query) else 2)

    best = min(order(*group) for group in groups)
    chosen = [group for group in groups if order(*group) == best]
    # several groups of one kind (each jet's own self-attention): one map of them all
    names = [name for group in chosen for name in groups[group]]
    query = list(chosen[0][0]) if len({group[0] for group in chosen}) == 1 and best[1] < 2 else []
    return View(names, query, _query_names(query, metadata))


def _query_names(query: Sequence[str], metadata: FeatureMetadata) -> list[str]:
    if list(query) == [CLASS]:
        return ["class token"]
    if len(query) == 1 and metadata.streams[query[0]].tokens:
        return [short_name(token) for token in metadata.streams[query[0]].tokens]
    return ["all tokens"]


def short_name(token: str) -> str:
    """Return ``J1+J2`` for ``fat_jets[0]+fat_jets[1]``, ``j1`` for ``jets[0]``."""
    text = re.sub(r"fat_jets\[(\d+)\]", lambda match: f"J{int(match[1]) + 1}", token)
    return re.sub(r"jets\[(\d+)\]", lambda match: f"j{int(match[1]) + 1}", text)


def attention(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return the attention that each token gets, averaged over heads and layers of :func:`choose_view`.

    Maps: ``mean`` over queries, each query token's where they are named, and ``rollout`` (Abnar, Zuidema,
    arXiv:2005.00928): products of ½ (A + 1) from layer to layer, what arrives at the head. Further arrays tell what
    each head looks at and average its matrices, see :mod:`jetlens.explanation.heads`; ``display_<layer>``
    (E, H, Tq, Tk) holds the scores of the first ``display_events`` events of each class, ``display_index`` (E,) which
    events these are.

    Args:
        model: a network with attention.
        features: N events.
        settings: ``display_events``.
    """
    from jetlens.models import probe

    network = network_of(model)
    layers = attention_layout(network)
    view = choose_view(layers, features.metadata, str(model.manifest["variant"]))
    tokens = JointTokens(network, features, list(model.streams))
    looks = np.zeros((len(view.queries), len(features), tokens.number - 1))
    rolled = np.zeros(looks.shape[1:])
    averaged, heads = Matrices(layers), Heads(layers, features)
    shown = np.sort(
        np.concatenate([np.flatnonzero(features.label == c)[: settings.display_events] for c in (1, 0)])
    )
    display: dict[str, list[NDArray[np.float16]]] = {name: [] for name in layers}
    for first in range(0, len(features), BATCH):
        part = slice(first, first + BATCH)
        inputs = {name: array[part] for name, array in input_arrays(features, list(model.streams)).items()}
        scores = probe.attention_scores(network, inputs, list(layers), BATCH)
        looks[:, part] = _looks(scores, layers, view, tokens, part)
        rolled[part] = _rollout(scores, layers, tokens, part)
        averaged.add(scores, features, part)
        heads.add(scores, part)
        for name in layers:
            display[name].append(
                scores[name][shown[(shown >= first) & (shown < first + BATCH)] - first].astype(np.float16)
            )
    extra: Arrays = {
        **averaged.arrays(), **heads.arrays(), "view_layers": np.array(view.layers), "display_index": shown,
        **{f"display_{name}": np.concatenate(parts) for name, parts in display.items()},
    }  # fmt: skip
    single = len(view.queries) == 1
    maps = [looks.mean(axis=0), *([] if single else looks), rolled]
    names = [view.queries[0] if single else "mean", *([] if single else view.queries), "rollout"]
    return Relevance(tuple(names), np.stack(maps), np.zeros((len(maps), *features.event.shape)), extra=extra)


def _looks(scores: Arrays, layers: Layers, view: View, tokens: JointTokens, part: slice) -> Floats:
    """Return (M, B, X − 1): the mean over heads, and over those layers of the view in which a token is a key."""
    real = tokens.real[part]
    total, number = np.zeros((len(view.queries), *real.shape)), np.zeros(real.shape[1])
    for name in view.layers:
        query, keys = layers[name]
        q, k = tokens.places(query), tokens.places(keys)
        per_query = scores[name].mean(axis=1, dtype=np.float64) * real[:, None, k]
        if len(view.queries) == 1:
            weight = real[:, q] / np.maximum(real[:, q].sum(axis=1, keepdims=True), 1)
            per_query = np.einsum("bq,bqk->bk", weight, per_query)[:, None]
        total[:, :, k] += per_query.swapaxes(0, 1)
        number[k] += 1
    return np.asarray((total / np.maximum(number, 1))[..., :-1])


def _rollout(scores: Arrays, layers: Layers, tokens: JointTokens, part: slice) -> Floats:
    real = tokens.real[part]
    carried = tokens.identity(len(real))
    for name, (query, keys) in layers.items():
        q, k = tokens.places(query), tokens.places(keys)
        mean = scores[name].mean(axis=1, dtype=np.float64) * real[:, None, k]
        carried[:, q] = 0.5 * carried[:, q] + 0.5 * (mean @ carried[:, k])
    return tokens.answer(carried, real)
