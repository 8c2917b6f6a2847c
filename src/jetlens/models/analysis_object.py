"""The AnalysisObjectTransformer: self-attention among reconstructed objects, class attention, event vector."""

from __future__ import annotations

import keras

from jetlens.config.models import AnalysisObjectOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Encoder, Inputs, class_attention, head


def build(options: AnalysisObjectOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return embedding, self-attention and class-attention blocks; class token ⊕ event vector; MLP head.

    Args:
        options: sizes and the stream of objects, whose order does not matter.
        metadata: names the stream's features.
    """
    inputs = Inputs(metadata, options)
    objects, real = Encoder(options.stream, options, options.encoder)(inputs, options.stream)
    token = class_attention(
        objects, real, [options.stream], options, options.class_attention, layer_scale=options.layer_scale
    )
    vectors = [token, inputs.event()] if options.use_event else [token]
    return keras.Model(inputs.inputs, head(vectors, options), name="analysis_object")
