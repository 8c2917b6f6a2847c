"""Configuration of the model variants (``models``): a name of the user's choice for each set of options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from jetlens.config.base import Name, Positive, PositiveInt, Section, Units
from jetlens.config.training import LoopOverrides, NonNegative, Share

Pooling = Literal["mean", "max", "attention", "class_attention", "flatten"]


class BlockOptions(Section):
    """A stack of pre-norm transformer blocks."""

    layers: int = Field(
        1, ge=0, le=200, description="number of blocks; 0: none, the embedding goes on as it is"
    )
    heads: Units = Field(4, description="attention heads")
    head_width: Units | None = Field(None, description="width of a head; null: width / heads")
    feed_forward: Units = Field(128, description="hidden units of the feed-forward part")


class HeadOptions(Section):
    """What all networks share: how inputs are scaled, the classifier head, and own training settings."""

    head: list[Units] = Field(default=[64], description="hidden layers of the classifier head")
    dropout: Share = Field(0.1, description="share of units dropped in training, in blocks and head")
    use_event: bool = Field(False, description="join the event vector before the head")
    bins: int = Field(
        0,
        ge=0,
        le=1_000,
        description="ramps that high-level features (kinematic tokens, event vector) are split into; 0: none",
    )
    clip: Positive = Field(
        5.0, description="standardised inputs are bent logarithmically beyond ± this many σ"
    )
    training: LoopOverrides = Field(
        default_factory=LoopOverrides, description="keys of 'training' set differently"
    )


class TokenOptions(HeadOptions):
    """What all networks on tokens share."""

    width: Units = Field(64, description="width D of a token")
    embedding: list[Units] = Field(default=[64], description="hidden layers of the token embedding, before D")


class PooledOptions(TokenOptions):
    """What networks share that reduce a set of tokens to one vector."""

    pooling: Pooling = Field(
        "mean",
        description="how tokens become one vector, padding left out; class_attention: a trained class token; flatten: "
        "kinematic tokens side by side, sets averaged",
    )
    pair_embedding: list[Units] | None = Field(
        None,
        description="bias the self-attention of constituents by pairwise features, as in ParT: hidden layers of the "
        "pair embedding; null: no bias",
    )


class SelfAttentionOptions(PooledOptions):
    """Self-attention over one stream (multi-scale transformer, model_1)."""

    kind: Literal["self_attention"]
    stream: Name = Field(description="the stream")
    encoder: BlockOptions = Field(default_factory=BlockOptions, description="self-attention blocks")


class CrossAttentionOptions(PooledOptions):
    """Streams with a self-attention encoder each; one of them queries the others."""

    encoders: dict[Name, BlockOptions] = Field(
        min_length=2, description="self-attention blocks of each stream"
    )
    query: Name = Field(description="the stream whose tokens query the others")
    cross: BlockOptions = Field(default_factory=BlockOptions, description="cross-attention blocks")
    share_encoders: bool = Field(
        False,
        description="one set of weights for all streams that are queried; they must hold the same features",
    )
    join_pooled: bool = Field(
        False, description="join the pooled constituents of each queried stream before the head"
    )

    @model_validator(mode="after")
    def _streams_fit(self) -> CrossAttentionOptions:
        wanted = 3 if getattr(self, "kind", "") == "cross_attention_three_stream" else 2
        if len(self.encoders) != wanted:
            raise ValueError(f"encoders names {len(self.encoders)} streams, expected {wanted}")
        if self.query not in self.encoders:
            raise ValueError(
                f"query '{self.query}' is none of the streams in encoders: {', '.join(self.encoders)}"
            )
        _check_shared(self.share_encoders, {k: v for k, v in self.encoders.items() if k != self.query})
        if self.cross.layers < 1:
            raise ValueError(
                "cross.layers must be at least 1; without cross-attention use kind: concatenation"
            )
        return self


class CrossAttentionThreeStreamOptions(CrossAttentionOptions):
    """The paper's network (arXiv:2401.00452, model_2): kinematic tokens query two jets."""

    kind: Literal["cross_attention_three_stream"]


class CrossAttentionTwoStreamOptions(CrossAttentionOptions):
    """The two-stream network (model_3): each cross block takes the one before it as query."""

    kind: Literal["cross_attention_two_stream"]


class ConcatenationOptions(PooledOptions):
    """The same streams, each encoded and pooled, joined without cross-attention."""

    kind: Literal["concatenation"]
    encoders: dict[Name, BlockOptions] = Field(
        min_length=1, description="self-attention blocks of each stream"
    )
    share_encoders: list[Name] = Field(default=[], description="streams that share one set of weights")

    @model_validator(mode="after")
    def _shared_exist(self) -> ConcatenationOptions:
        unknown = [name for name in self.share_encoders if name not in self.encoders]
        if unknown:
            raise ValueError(
                f"share_encoders: '{unknown[0]}' is none of the encoders: {', '.join(self.encoders)}"
            )
        _check_shared(True, {name: self.encoders[name] for name in self.share_encoders})
        return self


class KinematicsMLPOptions(HeadOptions):
    """A multilayer perceptron on high-level features, token by token side by side."""

    kind: Literal["kinematics_mlp"]
    streams: list[Name] = Field(min_length=1, description="streams whose tokens are laid side by side")


class AnalysisObjectOptions(TokenOptions):
    """The AnalysisObjectTransformer: self-attention, class attention (arXiv:2103.17239), event vector."""

    kind: Literal["analysis_object"]
    stream: Name = Field(description="the stream of objects")
    encoder: BlockOptions = Field(
        default_factory=lambda: BlockOptions(layers=3), description="self-attention blocks"
    )
    class_attention: BlockOptions = Field(
        default_factory=lambda: BlockOptions(layers=3), description="class-attention blocks"
    )
    layer_scale: Positive = Field(0.1, description="initial LayerScale of the class-attention blocks")
    use_event: bool = Field(True, description="join the event vector to the class token")


class ParticleTransformerOptions(TokenOptions):
    """ParT (arXiv:2202.03772): NormFormer blocks, attention biased by pairwise features, then class attention."""

    kind: Literal["particle_transformer"]
    streams: list[Name] = Field(
        min_length=1, description="constituent streams; pairs are formed within each jet"
    )
    encoder: BlockOptions = Field(
        default_factory=lambda: BlockOptions(layers=8, heads=8), description="particle-attention blocks"
    )
    pair_embedding: list[Units] = Field(default=[64, 64], description="hidden layers of the pair embedding")
    class_attention: BlockOptions = Field(
        default_factory=lambda: BlockOptions(layers=2, heads=8), description="class-attention blocks"
    )


class GradientBoostingOptions(Section):
    """Gradient-boosted trees (LightGBM) on high-level features."""

    kind: Literal["gradient_boosting"]
    streams: list[Name] = Field(
        min_length=1, description="streams whose tokens are laid side by side as columns"
    )
    use_event: bool = Field(True, description="add the event vector's columns")
    iterations: PositiveInt = Field(
        300, le=100_000, description="most trees; early stopping on the validation folds"
    )
    learning_rate: Positive = Field(0.05, description="shrinkage of each tree")
    leaves: int = Field(15, ge=2, le=100_000, description="most leaves of a tree")
    min_leaf: PositiveInt = Field(20, description="fewest events in a leaf")
    column_share: float = Field(
        1.0, gt=0, le=1, description="share of columns, drawn at random, tried at each split"
    )
    l2: NonNegative = Field(1.0, description="L2 regularisation of leaf values")
    patience: PositiveInt = Field(30, description="trees without a better validation loss before stopping")


ModelOptions = Annotated[
    SelfAttentionOptions
    | CrossAttentionThreeStreamOptions
    | CrossAttentionTwoStreamOptions
    | ConcatenationOptions
    | KinematicsMLPOptions
    | AnalysisObjectOptions
    | ParticleTransformerOptions
    | GradientBoostingOptions,
    Field(discriminator="kind"),
]


def stream_names(options: ModelOptions) -> list[str]:
    """Return the streams that a variant reads, each once, in the order of its inputs."""
    if isinstance(options, CrossAttentionOptions | ConcatenationOptions):
        return list(options.encoders)
    if isinstance(options, SelfAttentionOptions | AnalysisObjectOptions):
        return [options.stream]
    return list(dict.fromkeys(options.streams))


def model_file(options: ModelOptions) -> str:
    """Return the name of the file a trained variant is stored in: ``model.keras``, or ``model.txt`` for trees."""
    return "model.txt" if options.kind == "gradient_boosting" else "model.keras"


def _check_shared(shared: bool, encoders: dict[str, BlockOptions]) -> None:
    if shared and len({block.model_dump_json() for block in encoders.values()}) > 1:
        raise ValueError(f"streams that share an encoder need equal options: {', '.join(encoders)}")
