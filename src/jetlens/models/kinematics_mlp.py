"""A multilayer perceptron on high-level features alone: what constituents have to beat."""

from __future__ import annotations

import keras

from jetlens.config.models import KinematicsMLPOptions
from jetlens.features.featurefile import FeatureMetadata
from jetlens.models.blocks import Inputs, head


def build(options: KinematicsMLPOptions, metadata: FeatureMetadata) -> keras.Model:
    """Return an MLP on the standardised tokens, laid side by side (zero where one is missing).

    Args:
        options: sizes and streams; the streams' tokens must mean something each (``kind: kinematics``).
        metadata: names the streams' features.
    """
    inputs = Inputs(metadata, options)
    vectors = []
    for name in options.streams:
        tokens, _ = inputs.stream(name)
        vectors.append(keras.layers.Flatten(name=f"{name}_vector")(tokens))
    if options.use_event:
        vectors.append(inputs.event())
    return keras.Model(inputs.inputs, head(vectors, options), name="kinematics_mlp")
