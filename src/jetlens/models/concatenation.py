"""Streams encoded, pooled and joined, without cross-attention: what cross-attention has to beat."""

from __future__ import annotations

import keras

from jetlens.config.models import ConcatenationOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Encoder, Inputs, head, pool


def build(options: ConcatenationOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return an encoder per stream, masked pooling of each, MLP head on all of them side by side.

    Args:
        options: sizes and streams.
        metadata: names the streams' features.
    """
    inputs = Inputs(metadata, options)
    shared = None
    if options.share_encoders:
        shared = Encoder(
            "constituents", options, options.encoders[options.share_encoders[0]], options.pair_embedding
        )
    vectors = []
    for name, blocks in options.encoders.items():
        encoder = (
            shared
            if shared and name in options.share_encoders
            else Encoder(name, options, blocks, options.pair_embedding)
        )
        tokens, real = encoder(inputs, name)
        vectors.append(pool(tokens, real, [name], options, options.pooling, name))
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(inputs.inputs, head(vectors, options), name="concatenation")
