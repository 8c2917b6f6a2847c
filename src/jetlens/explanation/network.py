"""What explainers ask of a network's graph: its attention layers, what is pooled, where tokens have an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Mask = NDArray[np.bool_]
BATCH = 64
"""Events at a time where attention or gradients of all tokens are held."""
CLASS = "class"
"""What a network's class token is called among the streams."""


def network_of(model: TrainedModel) -> Any:
    """Return the Keras network of a trained model.

    Raises:
        ConfigError: if it is none.
    """
    network = getattr(model, "model", None)
    if network is None:
        raise ConfigError(
            f"explanation: '{model.manifest['variant']}' is no neural network, so it has neither attention nor "
            f"gradients; leave the methods out that need them"
        )
    return network


def attention_layout(network: Any) -> dict[str, tuple[list[str], list[str]]]:
    """Return query and key streams by attention layer, in the order of the forward pass."""
    from jetlens.models import probe

    return {name: probe.attention_streams(network, name) for name in probe.attention_layers(network)}


def pooled_streams(network: Any, streams: Sequence[str]) -> list[str]:
    """Return the streams whose tokens are pooled one by one into the head; none where a class token gathers them."""
    from jetlens.models.layers import MaskedPooling

    pooled = []
    for layer in network.layers:
        if isinstance(layer, MaskedPooling):
            pooled += [name for name in streams if layer.name == f"{name}_pooling"] or [_query_of(network)]
    return pooled


def _query_of(network: Any) -> str:
    """Return the stream whose tokens query the others: its pooling is called ``query_pooling``."""
    return next(
        query[0]
        for query, keys in reversed(attention_layout(network).values())
        if set(query).isdisjoint(keys) and query != ["class"]
    )


def embedded_tokens(network: Any, streams: Sequence[str]) -> dict[str, Any]:
    """Return the symbolic embedding (B, T, D) of each stream, as its first block or whatever follows reads it."""
    names = {layer.name for layer in network.layers}
    found = {}
    for stream in streams:
        first = next(
            (name for name in (f"{stream}_self_attention_0_residual", f"{stream}_tokens") if name in names),
            None,
        )
        if first is not None:
            tensor = network.get_layer(first).input
            found[stream] = tensor[0] if isinstance(tensor, list | tuple) else tensor
    return found


def pair_biases(network: Any, streams: Sequence[str]) -> dict[str, Any]:
    """Return the symbolic bias (B, H, T, T) that attention in a stream gets from its pairs, by stream; often none."""
    names = {layer.name for layer in network.layers}
    biased = {stream: f"{stream}_attention_bias" for stream in streams}
    return {stream: network.get_layer(name).output for stream, name in biased.items() if name in names}


class JointTokens:
    """The tokens of all streams and, last, the class token: X in all, between which attention carries things.

    Args:
        network: the network.
        features: N events.
        streams: that the network reads.
    """

    def __init__(self, network: Any, features: FeatureSet, streams: Sequence[str]) -> None:
        """Lay the tokens out."""
        slots = {name: features.masks[name].shape[1] for name in streams} | {CLASS: 1}
        starts = np.cumsum([0, *slots.values()])
        self._places = {
            name: np.arange(start, start + n) for (name, n), start in zip(slots.items(), starts, strict=False)
        }
        self.number = int(starts[-1])
        always = np.ones((len(features), 1), dtype=bool)
        self.real: Mask = np.concatenate([*(features.masks[name] for name in streams), always], axis=1)
        self.pooled = [self._places[name] for name in pooled_streams(network, streams)]

    def places(self, streams: Sequence[str]) -> Places:
        """Return where the tokens of some streams are, in their order."""
        return np.concatenate([self._places[name] for name in streams])

    def identity(self, events: int) -> Floats:
        """Return (B, X, X) identities."""
        return np.broadcast_to(np.eye(self.number), (events, self.number, self.number)).copy()

    def answer(self, carried: Floats, real: Mask) -> Floats:
        """Return what the head reads of each token, (B, X − 1): of what is carried (B, X, X), the rows of the answer.

        That is the class token's row, or the sum over pooled streams of the mean over their real tokens' rows.
        """
        if not self.pooled:
            return np.asarray((carried[:, -1] * real)[:, :-1])
        rows = np.zeros(real.shape)
        for place in self.pooled:
            weight = real[:, place] / np.maximum(real[:, place].sum(axis=1, keepdims=True), 1)
            rows += np.einsum("bq,bqx->bx", weight, carried[:, place])
        return np.asarray((rows * real)[:, :-1])
