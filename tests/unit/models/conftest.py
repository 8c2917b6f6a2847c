"""Small networks of every kind, and real events to put through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from jetlens.config.models import ModelOptions
from jetlens.features.featurefile import FeatureSet

BLOCK = {"layers": 1, "heads": 2, "feed_forward": 12}
SMALL = {"width": 8, "embedding": [10], "head": [6], "dropout": 0.1}
ENCODERS = {"jet1": BLOCK, "jet2": BLOCK, "kinematics": BLOCK}

OPTIONS: dict[str, dict[str, Any]] = {
    "self_attention": {"kind": "self_attention", "stream": "jet1", **SMALL},
    "cross_attention_three_stream": {
        "kind": "cross_attention_three_stream",
        "encoders": ENCODERS,
        "query": "kinematics",
        "cross": BLOCK | {"layers": 2},
        "join_pooled": True,
        "pooling": "attention",
        "use_event": True,
        "bins": 4,
        **SMALL,
    },
    "cross_attention_two_stream": {
        "kind": "cross_attention_two_stream",
        "encoders": {"jet1": BLOCK, "jet2": BLOCK},
        "query": "jet1",
        "cross": BLOCK | {"layers": 2},
        "pooling": "max",
        "pair_embedding": [5],
        **SMALL,
    },
    "concatenation": {
        "kind": "concatenation",
        "encoders": ENCODERS,
        "share_encoders": ["jet1", "jet2"],
        "pooling": "class_attention",
        **SMALL,
    },
    "analysis_object": {
        "kind": "analysis_object",
        "stream": "objects",
        "encoder": BLOCK,
        "class_attention": BLOCK | {"layers": 2},
        **SMALL,
    },
    "particle_transformer": {
        "kind": "particle_transformer",
        "streams": ["jet1", "jet2"],
        "encoder": BLOCK,
        "class_attention": BLOCK,
        "pair_embedding": [6],
        **SMALL,
    },
    "kinematics_mlp": {
        "kind": "kinematics_mlp",
        "streams": ["kinematics"],
        "use_event": True,
        "head": [6],
        "dropout": 0.1,
    },
}


def options(kind: str, **changes: Any) -> Any:
    """Return the small options of a kind, with changes."""
    return TypeAdapter(ModelOptions).validate_python({**OPTIONS[kind], **changes})


@pytest.fixture(scope="session")
def events(demo_features: dict[str, Path]) -> FeatureSet:
    """Real signal events."""
    return FeatureSet.read(demo_features["signal_H1000"])


@pytest.fixture(scope="session")
def arrays(events: FeatureSet) -> dict[str, Any]:
    """Inputs of the first 24 events, by name."""
    inputs: dict[str, Any] = {"event": events.event[:24].copy()}
    for name in events.streams:
        inputs |= {name: events.streams[name][:24].copy(), f"{name}_mask": events.masks[name][:24].copy()}
    return inputs


def build(kind: str, events: FeatureSet, seed: int = 3, **changes: Any) -> Any:
    """Build a small network with statistics that bring the raw features to order one, and no weight left at zero."""
    import keras

    from jetlens.models.layers import Standardisation
    from jetlens.models.registry import build_model

    keras.utils.set_random_seed(seed)
    model = build_model(options(kind, **changes), events.metadata)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:  # zero biases would hide what they do
        variable.assign(np.asarray(variable) + 0.05 * rng.normal(size=variable.shape))
    for layer in model.layers:
        if isinstance(layer, Standardisation):
            name = layer.name.removesuffix("_standardisation")
            values = events.event if name == "event" else events.streams[name][events.masks[name]]
            shape = layer.mean.shape
            layer.set_weights(
                [np.broadcast_to(values.mean(0), shape), np.broadcast_to(values.std(0) + 0.1, shape)]
            )
    return model


def score(model: Any, inputs: dict[str, Any]) -> Any:
    """Return logits (B,)."""
    from jetlens.models.probe import model_inputs

    return np.asarray(model(model_inputs(model, inputs), training=False))[:, 0]


@pytest.fixture(scope="session")
def models(events: FeatureSet) -> dict[str, Any]:
    """One network of each kind; tests leave them as they are."""
    return {kind: build(kind, events) for kind in OPTIONS}
