"""Cross-attention between streams (arXiv:2401.00452): the three-stream network (model_2) and the two-stream one.

Both keep what the reference code lost: padding masks in every attention, the identity of each jet (the constituents
are joined along the token axis, with a trained offset per jet), and cross blocks that build on one another.
"""

from __future__ import annotations

from typing import Any

import keras

from jetlens.config.models import CrossAttentionOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import CrossAttentionBlock, Encoder, Inputs, head, pool
from jetlens.models.layers import TokenOffset


def build(options: CrossAttentionOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return an encoder per stream, stacked cross-attention blocks, masked pooling, MLP head.

    The tokens of ``options.query`` gather from those of all other streams; after the last block they are pooled.

    Args:
        options: sizes and streams.
        metadata: names the streams' features.
    """
    inputs = Inputs(metadata, options)
    queried = [name for name in options.encoders if name != options.query]
    shared = (
        Encoder("constituents", options, options.encoders[queried[0]], options.pair_embedding)
        if options.share_encoders
        else None
    )
    tokens: dict[str, Any] = {}
    real: dict[str, Any] = {}
    for name, blocks in options.encoders.items():
        encoder = (
            shared if shared and name in queried else Encoder(name, options, blocks, options.pair_embedding)
        )
        tokens[name], real[name] = encoder(inputs, name)
    keys, keys_real = _joined(queried, tokens, real)
    query = tokens[options.query]
    for index in range(options.cross.layers):
        block = CrossAttentionBlock(index, options.width, options.cross, options.dropout)
        query = block(query, keys, keys_real, [options.query], queried)
    vectors = [pool(query, real[options.query], [options.query], options, options.pooling, "query")]
    if options.join_pooled:
        vectors += [
            pool(tokens[name], real[name], [name], options, options.pooling, name) for name in queried
        ]
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(
        inputs.inputs, head(vectors, options), name=getattr(options, "kind", "cross_attention")
    )


def _joined(names: list[str], tokens: dict[str, Any], real: dict[str, Any]) -> tuple[Any, Any]:
    """Join streams along the token axis, each shifted by a trained vector that says which one it is."""
    if len(names) == 1:
        return tokens[names[0]], real[names[0]]
    shifted = [TokenOffset(name=f"{name}_stream_offset")(tokens[name]) for name in names]
    return (
        keras.layers.Concatenate(axis=1, name="keys")(shifted),
        keras.layers.Concatenate(axis=1, name="keys_mask")([real[name] for name in names]),
    )
