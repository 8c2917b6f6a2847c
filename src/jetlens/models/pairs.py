"""Pairwise features of constituents as a bias of attention (particle attention, arXiv:2202.03772)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from jetlens.config.consistency import PAIR_COLUMNS
from jetlens.errors import ConfigError
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.attention import PairFeatures
from jetlens.models.layers import Dense


class PairBias:
    """An MLP on the features of each pair of constituents of one jet; several jets share its weights.

    Args:
        hidden: hidden layers.
        heads: of the attention that is biased.
        prefix: of the layers' names.
    """

    def __init__(self, hidden: Sequence[int], heads: int, prefix: str = "") -> None:
        """Make the layers."""
        self.layers = [
            Dense(units, activation="gelu", name=f"{prefix}pair_embedding_{i}")
            for i, units in enumerate(hidden)
        ]
        self.layers.append(Dense(heads, name=f"{prefix}pair_bias"))

    def __call__(self, stream: str, inputs: Mapping[str, Any], metadata: FeatureMetadata) -> Any:
        """Return the (B, H, T, T) bias of a stream's attention, from the raw inputs by name.

        Raises:
            ConfigError: if the stream lacks one of the features that pairs are made of.
        """
        features = metadata.streams[stream].features
        for column in PAIR_COLUMNS:
            if column not in features:
                raise ConfigError(
                    f"features.streams.{stream}: attention biased by pairs needs the feature '{column}', found: "
                    f"{', '.join(features)}; add it"
                )
        columns = [features.index(column) for column in PAIR_COLUMNS]
        pairs = PairFeatures(columns, dtype="float32", name=f"{stream}_pairs")(
            inputs[stream], inputs[f"{stream}_mask"]
        )
        for layer in self.layers:
            pairs = layer(pairs)
        return keras.layers.Permute((3, 1, 2), name=f"{stream}_attention_bias")(pairs)
