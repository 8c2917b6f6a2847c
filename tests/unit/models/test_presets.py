"""The published sizes build, and are what was published."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from jetlens.config.models import ModelOptions, stream_names
from jetlens.features.featurefile import FeatureSet
from jetlens.models.probe import attention_layers
from jetlens.models.registry import BUILDERS, build_model
from tests.conftest import ROOT

PRESETS = yaml.safe_load((ROOT / "config" / "published_models.yaml").read_text(encoding="utf-8"))["models"]


def test_every_network_has_its_published_size() -> None:
    assert {preset["kind"] for preset in PRESETS.values()} == set(BUILDERS)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name: str, events: FeatureSet) -> None:
    options: Any = TypeAdapter(ModelOptions).validate_python(PRESETS[name])
    model = build_model(options, events.metadata)
    assert {t.name for t in model.inputs} >= set(stream_names(options))
    layers = {
        "published_self_attention": 3,
        "published_cross_attention_three_stream": 3 + 3 + 2 + 4,
        "commented_cross_attention_three_stream": 3 + 2 + 4 + 1,
        "published_cross_attention_two_stream": 3 + 3 + 4,
        "published_concatenation": 3 + 3 + 2,
        "published_kinematics_mlp": 0,
        "published_analysis_object": 3 + 3,
        "published_particle_transformer": 2 * 8 + 2,
    }
    assert len(attention_layers(model)) == layers[name]


def test_particle_transformer_is_built_of_normformer_blocks(events: FeatureSet) -> None:
    """Against a count by hand of ParT's weights, and its dropout: none in class attention."""
    preset = {**PRESETS["published_particle_transformer"], "streams": ["jet1"]}
    options: Any = TypeAdapter(ModelOptions).validate_python(preset)
    model = build_model(options, events.metadata)
    width, heads, hidden, features = 128, 8, 512, len(events.metadata.streams["jet1"].features)
    norm = 2 * width
    attention = norm + 4 * width * (width + 1) + heads + norm
    feed_forward = norm + hidden * (width + 1) + 2 * hidden + width * (hidden + 1) + width
    class_attention = attention + norm + feed_forward  # keys' norm apart from the class token's
    embedding = 128 * (features + 1) + 512 * (128 + 1) + 128 * (512 + 1)
    pairs = 64 * (4 + 1) + 2 * 64 * (64 + 1) + heads * (64 + 1)
    expected = (
        embedding + pairs + 8 * (attention + feed_forward) + width + 2 * class_attention + norm + width + 1
    )
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == expected
    dropped = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 8 * 3
    assert not any("class" in name for name in dropped)
