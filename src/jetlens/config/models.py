"""Configuration of the model variants (``models``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jetlens.config.base import Name, Section


class GradientBoostingOptions(Section):
    """scikit-learn's histogram gradient boosting on high-level features."""

    kind: Literal["gradient_boosting"]
    streams: list[Name] = Field(min_length=1, description="streams whose tokens are flattened into columns")


class SelfAttentionOptions(Section):
    """Self-attention over one stream."""

    kind: Literal["self_attention"]
    stream: Name = Field(description="the stream")


ModelOptions = Annotated[GradientBoostingOptions | SelfAttentionOptions, Field(discriminator="kind")]
