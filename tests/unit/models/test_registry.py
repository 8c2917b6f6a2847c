"""Unknown kinds and missing streams are named."""

from __future__ import annotations

import pytest

from jetlens.config.models import GradientBoostingOptions
from jetlens.errors import ConfigError
from jetlens.features.featurefile import FeatureSet
from jetlens.models.registry import build_model

from .conftest import options


def test_a_missing_stream_is_named(events: FeatureSet) -> None:
    with pytest.raises(
        ConfigError, match="reads the stream 'jet11', which the feature files lack; did you mean 'jet1'"
    ):
        build_model(options("self_attention", stream="jet11"), events.metadata)


def test_trees_are_no_network(events: FeatureSet) -> None:
    with pytest.raises(ConfigError, match="kind 'gradient_boosting' is no network"):
        build_model(
            GradientBoostingOptions(kind="gradient_boosting", streams=["kinematics"]), events.metadata
        )


def test_pair_features_need_their_columns(events: FeatureSet) -> None:
    with pytest.raises(
        ConfigError,
        match=r"features\.streams\.objects: attention biased by pairs needs the feature 'delta_eta'",
    ):
        build_model(options("particle_transformer", streams=["objects"]), events.metadata)
