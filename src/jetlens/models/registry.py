"""From options to networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from jetlens.config.models import ModelOptions, stream_names
from jetlens.errors import ConfigError, did_you_mean
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models import (
    analysis_object,
    concatenation,
    cross_attention,
    kinematics_mlp,
    particle_transformer,
    self_attention,
)

BUILDERS: dict[str, Callable[[Any, FeatureMetadata], keras.Model]] = {
    "analysis_object": analysis_object.build,
    "concatenation": concatenation.build,
    "cross_attention_three_stream": cross_attention.build,
    "cross_attention_two_stream": cross_attention.build,
    "kinematics_mlp": kinematics_mlp.build,
    "particle_transformer": particle_transformer.build,
    "self_attention": self_attention.build,
}


def build_model(options: ModelOptions, metadata: FeatureMetadata) -> keras.Model:
    """Build the network of a variant: a flat functional model, freshly initialised from Keras' global seed.

    Inputs are named after the arrays of the feature file; the output ``logit`` (B, 1) is before the sigmoid.

    Args:
        options: the variant's section of the configuration.
        metadata: of the feature files it will be trained on.

    Raises:
        ConfigError: if the kind is no network, or the feature files lack one of its streams.
    """
    if options.kind not in BUILDERS:
        raise ConfigError(
            f"models: kind '{options.kind}' is no network{did_you_mean(options.kind, BUILDERS)}"
        )
    for name in stream_names(options):
        if name not in metadata.streams:
            raise ConfigError(
                f"models: {options.kind} reads the stream '{name}', which the feature files lack"
                f"{did_you_mean(name, metadata.streams)}"
            )
    return BUILDERS[options.kind](options, metadata)
