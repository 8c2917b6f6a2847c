"""Shapley values of trees, as LightGBM computes them exactly (TreeSHAP, arXiv:1802.03888)."""

from __future__ import annotations

import numpy as np

from jetlens.config.explanation import ExplanationConfig
from jetlens.errors import ConfigError
from jetlens.explanation.players import reads_event
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, TrainedTrees


def tree_shapley(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return the library's Shapley values: of each token the sum over its columns, and of each event feature.

    With the training's mean logit, in ``baseline`` (1, N), they sum to the logit. ``columns`` (C,) and ``column_value``
    (N, C) hold them column by column.

    Args:
        model: trees.
        features: N events.
        settings: not used.

    Raises:
        ConfigError: if the model is no trees.
    """
    if not isinstance(model, TrainedTrees):
        raise ConfigError(
            f"explanation.methods: tree_shapley is for trees, '{model.manifest['variant']}' is none; leave it out"
        )
    names, shares = model.contributions(features)
    columns, mean = shares[:, :-1], shares[:, -1]
    tokens, start = [], 0
    for stream in model.streams:
        count, slots = len(features.metadata.streams[stream].features), features.masks[stream].shape[1]
        block = columns[:, start : start + slots * count].reshape(len(features), slots, count)
        tokens.append(block.sum(axis=-1))
        start += slots * count
    event = columns[:, start:] if reads_event(model) else np.zeros(features.event.shape)
    return Relevance(
        ("logit",),
        np.concatenate(tokens, axis=1)[None],
        np.asarray(event)[None],
        per_event={"baseline": mean[None]},
        extra={"columns": np.array(names), "column_value": columns.astype(np.float32)},
    )
