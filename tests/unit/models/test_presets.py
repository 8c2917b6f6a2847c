"""The published sizes build, and are what was published."""

from __future__ import annotations

from typing import Any

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
        "self_attention": 3,
        "cross_attention_three_stream": 3 + 2 + 4 + 1,
        "cross_attention_two_stream": 3 + 2 + 2,
        "concatenation": 3 + 2 + 4,
        "kinematics_mlp": 0,
        "analysis_object": 3 + 3,
        "particle_transformer": 2 * 8 + 2,
    }
    assert len(attention_layers(model)) == layers[options.kind]
