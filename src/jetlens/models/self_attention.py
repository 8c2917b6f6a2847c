"""Self-attention over one stream (multi-scale transformer, model_1)."""

from __future__ import annotations

import keras

from jetlens.config.models import SelfAttentionOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Encoder, Inputs, head, pool


def build(options: SelfAttentionOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return embedding, self-attention blocks, masked pooling, MLP head.

    Args:
        options: sizes.
        metadata: names the stream's features.
    """
    inputs = Inputs(metadata, options)
    tokens, real = Encoder(options.stream, options, options.encoder, options.pair_embedding)(
        inputs, options.stream
    )
    vectors = [pool(tokens, real, [options.stream], options, options.pooling, options.stream)]
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(inputs.inputs, head(vectors, options), name="self_attention")
