"""How much a network multiplies: floating-point operations of one event, counted layer by layer on its own graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from jetlens.models.attention import CrossAttention, SelfAttention


def flops_per_event(model: keras.Model, tokens: Mapping[str, int]) -> int:
    """Return the additions and multiplications of the matrix products in one forward pass of one event.

    A dense layer from n to m takes 2nm per token, its bias included (n products, n − 1 sums, one bias); attention of
    Tq queries to Tk keys with H heads of width d takes 2·Tq·Tk·H·d for the scores and as much for the weighted sum.
    Norms, activations and the softmax, a few operations per number, are left out, as usual. Layers shared between
    streams count at each use. A training step takes about three times as much.

    Args:
        model: the network; left as it is.
        tokens: slots per stream, padded ones included, for streams of any length.
    """
    total = 0

    def count(layer: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal total
        output = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Dense):
            total += 2 * math.prod(args[0].shape) * layer.units
        elif isinstance(layer, SelfAttention | CrossAttention):
            (_, queries, channels), (_, _, _, keys) = output[0].shape, output[1].shape
            total += 4 * queries * keys * channels
        return output

    # a clone: calling the model's own layers again would change its graph
    inputs = keras.tree.map_structure(lambda tensor: _one(tensor, tokens), model.input)
    keras.models.clone_model(model, input_tensors=inputs, call_function=count)
    return total


def _one(tensor: Any, tokens: Mapping[str, int]) -> Any:
    """Return an input for one event, its free axis set to the number of slots."""
    slots = tokens.get(tensor.name.removesuffix("_mask"))
    shape = [slots if size is None else size for size in tensor.shape[1:]]
    return keras.Input(batch_shape=(1, *shape), dtype=tensor.dtype, name=tensor.name)
