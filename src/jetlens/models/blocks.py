"""Building blocks of the networks: flat graphs of named Keras layers, written once and used by every variant.

A block makes its weighted layers when constructed and joins them to a graph when called. Called twice, it shares its
weights between two streams, while the attention layers keep a name of their own for each.
"""

from __future__ import annotations

from typing import Any

import keras

from jetlens.config.models import BlockOptions, HeadOptions, TokenOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.attention import CrossAttention, SelfAttention
from jetlens.models.layers import (
    AlwaysReal,
    ClassToken,
    Dense,
    Dropout,
    HeadScale,
    LayerNormalization,
    LayerScale,
    MaskedPooling,
    PiecewiseLinear,
    Standardisation,
    TokenOffset,
    Tokens,
)
from jetlens.models.pairs import PairBias

Tensor = Any
"""A symbolic Keras tensor."""


class Inputs:
    """The inputs of a model, named after the arrays of the feature file, with standardisation right behind.

    Both work in float32 even under mixed precision: raw features span more digits than a half has.

    Args:
        metadata: of the feature files; names the features of each stream.
        options: the variant's; its ``clip`` is used.
    """

    def __init__(self, metadata: FeatureMetadata, options: HeadOptions) -> None:
        """Make the layers."""
        self.metadata = metadata
        self.clip = options.clip
        self.bins = options.bins
        self.inputs: dict[str, Tensor] = {}

    def stream(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the standardised tokens (B, T, F) of a stream and which of them are real (B, T)."""
        stream = self.metadata.streams[name]
        # tokens that mean something each (jet 1, jet 2, their sum) are neither trimmed nor permuted
        tokens = len(stream.tokens) if stream.kind == "kinematics" else None
        raw = keras.Input((tokens, len(stream.features)), name=name)
        real = keras.Input((tokens,), dtype="bool", name=f"{name}_mask")
        self.inputs |= {name: raw, f"{name}_mask": real}
        layer = Standardisation(
            per_token=tokens is not None, clip=self.clip, dtype="float32", name=f"{name}_standardisation"
        )
        standardised = layer(raw, real)
        return (standardised if tokens is None else self._ramps(name, standardised)), real

    def event(self) -> Tensor:
        """Return the standardised event vector (B, E)."""
        raw = keras.Input((len(self.metadata.event.features),), name="event")
        self.inputs["event"] = raw
        return self._ramps(
            "event", Standardisation(clip=self.clip, dtype="float32", name="event_standardisation")(raw)
        )

    def _ramps(self, name: str, standardised: Tensor) -> Tensor:
        if not self.bins:
            return standardised
        return PiecewiseLinear(self.bins, dtype="float32", name=f"{name}_ramps")(standardised)


class Embedding:
    """An MLP on each token, to the width D; streams of distinct objects also learn which token is which."""

    def __init__(self, name: str, options: TokenOptions) -> None:
        """Make the layers."""
        self.name = name
        self.hidden = [
            Dense(units, activation="gelu", name=f"{name}_embedding_{i}")
            for i, units in enumerate(options.embedding)
        ]
        self.last = Dense(options.width, name=f"{name}_embedding_{len(options.embedding)}")

    def __call__(self, x: Tensor, stream: str) -> Tensor:
        """Embed (B, T, F) as (B, T, D)."""
        for layer in self.hidden:
            x = layer(x)
        x = self.last(x)
        if x.shape[1] is not None:
            x = TokenOffset(x.shape[1], name=f"{stream}_token_offset")(x)
        return x


class FeedForward:
    """The pre-norm feed-forward half of a block: x + W₂ gelu(W₁ norm(x)).

    With ``normformer`` (arXiv:2110.09456): a norm and dropout before W₂ too, and trained factors on x in the sum.
    """

    def __init__(
        self,
        name: str,
        width: int,
        hidden: int,
        dropout: float,
        layer_scale: float | None = None,
        normformer: bool = False,
    ) -> None:
        """Make the layers."""
        self.name = name
        self.layers: list[keras.layers.Layer] = [
            LayerNormalization(epsilon=1e-5, name=f"{name}_feed_forward_norm"),
            Dense(hidden, activation="gelu", name=f"{name}_feed_forward_hidden"),
        ]
        self.residual_scale = None
        if normformer:
            if dropout:
                self.layers.append(Dropout(dropout, name=f"{name}_feed_forward_hidden_dropout"))
            self.layers.append(LayerNormalization(epsilon=1e-5, name=f"{name}_feed_forward_hidden_norm"))
            self.residual_scale = LayerScale(1.0, name=f"{name}_feed_forward_residual_scale")
        self.layers.append(Dense(width, name=f"{name}_feed_forward"))
        if dropout:
            self.layers.append(Dropout(dropout, name=f"{name}_feed_forward_dropout"))
        if layer_scale is not None:
            self.layers.append(LayerScale(layer_scale, name=f"{name}_feed_forward_scale"))

    def __call__(self, x: Tensor, call_name: str) -> Tensor:
        """Transform (B, T, D)."""
        y = x
        for layer in self.layers:
            y = layer(y)
        if self.residual_scale:
            x = self.residual_scale(x)
        return keras.layers.Add(name=f"{call_name}_feed_forward_residual")([x, y])


def _after_attention(
    name: str, width: int, heads: int, dropout: float, layer_scale: float | None, normformer: bool
) -> list[keras.layers.Layer]:
    """Layers between what attention gathers (B, T, H·d) and the residual sum (B, T, D)."""
    layers: list[keras.layers.Layer] = [HeadScale(heads, name=f"{name}_head_scale")] if normformer else []
    layers.append(Dense(width, name=f"{name}_projection"))
    if normformer:
        layers.append(LayerNormalization(epsilon=1e-5, name=f"{name}_projection_norm"))
    if dropout:
        layers.append(Dropout(dropout, name=f"{name}_dropout"))
    if layer_scale is not None:
        layers.append(LayerScale(layer_scale, name=f"{name}_scale"))
    return layers


class SelfAttentionBlock:
    """Pre-norm self-attention with a key padding mask, then feed-forward.

    ``normformer``: trained factors per head and a norm after the projection (arXiv:2110.09456); see
    :class:`FeedForward`.
    """

    def __init__(
        self,
        name: str,
        index: int,
        width: int,
        options: BlockOptions,
        dropout: float,
        normformer: bool = False,
    ) -> None:
        """Make the layers."""
        self.index = index
        self.heads = options.heads
        inner = _inner_width(width, options)
        self.norm = LayerNormalization(epsilon=1e-5, name=f"{name}_norm_{index}")
        self.qkv = Dense(3 * inner, name=f"{name}_qkv_{index}")
        self.after = _after_attention(f"{name}_{index}", width, self.heads, dropout, None, normformer)
        self.feed_forward = FeedForward(
            f"{name}_{index}", width, options.feed_forward, dropout, normformer=normformer
        )

    def __call__(self, x: Tensor, real: Tensor, stream: str, bias: Tensor = None) -> Tensor:
        """Transform (B, T, D) with real tokens (B, T)."""
        name = f"{stream}_self_attention_{self.index}"
        core = SelfAttention(self.heads, [stream], [stream], name=name)
        arguments = (self.qkv(self.norm(x)), real) + (() if bias is None else (bias,))
        y = core(*arguments)[0]
        for layer in self.after:
            y = layer(y)
        x = keras.layers.Add(name=f"{name}_residual")([x, y])
        return self.feed_forward(x, f"{stream}_{self.index}")


class CrossAttentionBlock:
    """Pre-norm cross-attention: the query's tokens gather from the real tokens of other streams.

    ``normformer``: as in :class:`SelfAttentionBlock`.
    """

    def __init__(
        self,
        index: int,
        width: int,
        options: BlockOptions,
        dropout: float,
        *,
        name: str = "cross_attention",
        layer_scale: float | None = None,
        normformer: bool = False,
    ) -> None:
        """Make the layers."""
        self.name = f"{name}_{index}"
        self.heads = options.heads
        inner = _inner_width(width, options)
        self.norm_query = LayerNormalization(epsilon=1e-5, name=f"{self.name}_query_norm")
        self.norm_key = LayerNormalization(epsilon=1e-5, name=f"{self.name}_key_norm")
        self.q = Dense(inner, name=f"{self.name}_query")
        self.kv = Dense(2 * inner, name=f"{self.name}_key_value")
        self.after = _after_attention(self.name, width, self.heads, dropout, layer_scale, normformer)
        self.feed_forward = FeedForward(
            self.name, width, options.feed_forward, dropout, layer_scale, normformer
        )

    def __call__(
        self,
        query: Tensor,
        keys: Tensor,
        real: Tensor,
        query_streams: list[str],
        key_streams: list[str],
        extra_keys: int = 0,
    ) -> Tensor:
        """Update the query (B, Tq, D) from keys (B, Tk, D), of which ``real`` (B, Tk) are real."""
        core = CrossAttention(self.heads, query_streams, key_streams, extra_keys, name=self.name)
        y = core(self.q(self.norm_query(query)), self.kv(self.norm_key(keys)), real)[0]
        for layer in self.after:
            y = layer(y)
        query = keras.layers.Add(name=f"{self.name}_residual")([query, y])
        return self.feed_forward(query, self.name)


class Encoder:
    """Embedding and self-attention blocks of one stream, or of several that share the weights."""

    def __init__(
        self, name: str, options: TokenOptions, blocks: BlockOptions, pair_embedding: list[int] | None = None
    ) -> None:
        """Make the layers; with ``pair_embedding``, constituents' attention is biased by their pairs."""
        self.embedding = Embedding(name, options)
        self.pairs = None if pair_embedding is None else PairBias(pair_embedding, blocks.heads, f"{name}_")
        self.blocks = [
            SelfAttentionBlock(name, i, options.width, blocks, options.dropout) for i in range(blocks.layers)
        ]

    def __call__(self, inputs: Inputs, stream: str) -> tuple[Tensor, Tensor]:
        """Return the encoded tokens (B, T, D) of a stream, and which of them are real (B, T)."""
        x, real = inputs.stream(stream)
        bias = None
        if self.pairs and self.blocks and inputs.metadata.streams[stream].kind == "constituents":
            bias = self.pairs(stream, inputs.inputs, inputs.metadata)
        x = self.embedding(x, stream)
        for block in self.blocks:
            x = block(x, real, stream, bias)
        return Tokens(stream, name=f"{stream}_tokens")(x), real


def class_attention(
    x: Tensor,
    real: Tensor,
    streams: list[str],
    options: TokenOptions,
    blocks: BlockOptions,
    *,
    layer_scale: float | None = None,
    dropout: float | None = None,
    normformer: bool = False,
    name: str = "class_attention",
) -> Tensor:
    """Gather tokens in a trained class token (arXiv:2103.17239): only the class token is updated.

    Args:
        x: tokens (B, T, D).
        real: which of them are real (B, T).
        streams: where the tokens come from, in order.
        options: of the variant.
        blocks: number and size of the blocks.
        layer_scale: initial LayerScale; None: no LayerScale.
        dropout: in these blocks; None: the variant's.
        normformer: see :class:`CrossAttentionBlock`.
        name: of the layers.

    Returns:
        The class token (B, D).
    """
    token = ClassToken(name=f"{name}_token")(x)
    always = AlwaysReal(name=f"{name}_mask")(real)
    for index in range(blocks.layers):
        block = CrossAttentionBlock(
            index,
            options.width,
            blocks,
            options.dropout if dropout is None else dropout,
            name=name,
            layer_scale=layer_scale,
            normformer=normformer,
        )
        keys = keras.layers.Concatenate(axis=1, name=f"{name}_{index}_keys")([token, x])
        token = block(token, keys, always, ["class"], streams, extra_keys=1)
    token = LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(token)
    return keras.layers.Flatten(name=f"{name}_vector")(token)


def pool(x: Tensor, real: Tensor, streams: list[str], options: TokenOptions, mode: str, name: str) -> Tensor:
    """Reduce tokens (B, T, D) to (B, D), padding left out.

    Args:
        x: the tokens.
        real: which of them are real (B, T).
        streams: where the tokens come from, in order.
        options: of the variant.
        mode: ``mean``, ``max``, ``attention`` (a trained query, one softmax), ``class_attention``, or ``flatten``: a
            fixed number of tokens side by side, each in its place; sets are averaged.
        name: prefix of the layers' names.
    """
    if mode in ("mean", "max", "flatten"):
        x = LayerNormalization(epsilon=1e-5, name=f"{name}_pooling_norm")(x)
        mode = "mean" if mode == "flatten" and x.shape[1] is None else mode
        return MaskedPooling(mode, name=f"{name}_pooling")(x, real)
    heads = _divisor(options.width)
    if mode == "class_attention":
        blocks = BlockOptions(layers=1, heads=heads, feed_forward=2 * options.width)
        return class_attention(x, real, streams, options, blocks, name=f"{name}_pooling")
    x = LayerNormalization(epsilon=1e-5, name=f"{name}_pooling_norm")(x)
    query = ClassToken(name=f"{name}_pooling_query")(x)
    kv = Dense(2 * options.width, name=f"{name}_pooling_key_value")(x)
    core = CrossAttention(heads, ["class"], streams, name=f"{name}_pooling_attention")
    return keras.layers.Flatten(name=f"{name}_pooling")(core(query, kv, real)[0])


def head(vectors: list[Tensor], options: HeadOptions) -> Tensor:
    """Join vectors (B, …) and classify: one logit (B, 1), the sigmoid left to the loss and to scoring."""
    x = vectors[0] if len(vectors) == 1 else keras.layers.Concatenate(name="joined")(vectors)
    for index, units in enumerate(options.head):
        x = Dense(units, activation="gelu", name=f"head_{index}")(x)
        if options.dropout:
            x = Dropout(options.dropout, name=f"head_{index}_dropout")(x)
    # computed in float32 even under mixed precision: the loss needs its digits
    return Dense(1, dtype="float32", name="logit")(x)


def _inner_width(width: int, options: BlockOptions) -> int:
    """Return H·d; heads that do not divide the width round up, the projection brings the width back."""
    return options.heads * (options.head_width or -(-width // options.heads))


def _divisor(width: int) -> int:
    return next(heads for heads in (4, 2, 1) if width % heads == 0)
