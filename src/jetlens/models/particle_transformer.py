"""Particle Transformer (arXiv:2202.03772): self-attention biased by pairwise features, then class attention.

Blocks are NormFormer's, as there: a norm before and after attention, one before each affine map of the feed-forward
part, trained factors on heads and on the residual; no dropout in class attention. What differs: heads are scaled before
their projection, as NormFormer has it (ParT's code scales channels behind it); inputs are standardised by the training
events instead of batch norm, in the embeddings too; attention weights are not dropped out; several jets share the
weights and are told apart by a trained offset.
"""

from __future__ import annotations

import keras

from jetlens.config.models import ParticleTransformerOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Embedding, Inputs, SelfAttentionBlock, class_attention, head
from jetlens.models.layers import TokenOffset, Tokens
from jetlens.models.pairs import PairBias


def build(options: ParticleTransformerOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return particle-attention blocks on each stream, with shared weights, and class attention over all.

    Args:
        options: sizes and streams; pairs are formed within a stream, since Δη and Δφ are relative to one jet's axis.
        metadata: names the streams' features.

    Raises:
        ConfigError: if a stream lacks one of the features that pairs are made of.
    """
    inputs = Inputs(metadata, options)
    embedding = Embedding("constituents", options)
    blocks = [
        SelfAttentionBlock(
            "constituents", i, options.width, options.encoder, options.dropout, normformer=True
        )
        for i in range(options.encoder.layers)
    ]
    pair_bias = PairBias(options.pair_embedding, options.encoder.heads)
    all_tokens, all_real = [], []
    for name in options.streams:
        x, real = inputs.stream(name)
        bias = pair_bias(name, inputs.inputs, metadata)
        x = embedding(x, name)
        for block in blocks:
            x = block(x, real, name, bias)
        x = Tokens(name, name=f"{name}_tokens")(x)
        all_tokens.append(TokenOffset(name=f"{name}_stream_offset")(x) if len(options.streams) > 1 else x)
        all_real.append(real)
    tokens, real = all_tokens[0], all_real[0]
    if len(options.streams) > 1:
        tokens = keras.layers.Concatenate(axis=1, name="tokens")(all_tokens)
        real = keras.layers.Concatenate(axis=1, name="tokens_mask")(all_real)
    vectors = [
        class_attention(
            tokens, real, options.streams, options, options.class_attention, dropout=0.0, normformer=True
        )
    ]
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(inputs.inputs, head(vectors, options), name="particle_transformer")
