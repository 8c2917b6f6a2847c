"""Particle Transformer (arXiv:2202.03772): self-attention biased by pairwise features, then class attention."""

from __future__ import annotations

from typing import Any

import keras

from jetlens.config.models import ParticleTransformerOptions
from jetlens.errors import ConfigError
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Embedding, Inputs, SelfAttentionBlock, class_attention, head
from jetlens.models.layers import Dense, PairFeatures, TokenOffset, Tokens

PAIR_COLUMNS = ("delta_eta", "delta_phi", "log_pt")


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
        SelfAttentionBlock("constituents", i, options.width, options.encoder, options.dropout)
        for i in range(options.encoder.layers)
    ]
    pair_layers = [
        Dense(units, activation="gelu", name=f"pair_embedding_{i}")
        for i, units in enumerate(options.pair_embedding)
    ]
    pair_layers.append(Dense(options.encoder.heads, name="pair_bias"))
    all_tokens, all_real = [], []
    for name in options.streams:
        x, real = inputs.stream(name)
        bias = _bias(name, inputs, pair_layers, metadata)
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
    vectors = [class_attention(tokens, real, options.streams, options, options.class_attention)]
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(inputs.inputs, head(vectors, options), name="particle_transformer")


def _bias(name: str, inputs: Inputs, layers: list[Any], metadata: FeatureMetadata) -> Any:
    """Return the (B, H, T, T) bias of a stream's attention."""
    features = metadata.streams[name].features
    for column in PAIR_COLUMNS:
        if column not in features:
            raise ConfigError(
                f"features.streams.{name}: particle_transformer needs the feature '{column}', found: "
                f"{', '.join(features)}; add it"
            )
    columns = [features.index(column) for column in PAIR_COLUMNS]
    pairs = PairFeatures(columns, dtype="float32", name=f"{name}_pairs")(
        inputs.inputs[name], inputs.inputs[f"{name}_mask"]
    )
    for layer in layers:
        pairs = layer(pairs)
    return keras.layers.Permute((3, 1, 2), name=f"{name}_pair_bias")(pairs)
