"""What sections of the configuration must agree on, so that no job finds out after hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jetlens.config.features import ConstituentStream, Stream
from jetlens.config.models import (
    AnalysisObjectOptions,
    CrossAttentionOptions,
    GradientBoostingOptions,
    KinematicsMLPOptions,
    ModelOptions,
    ParticleTransformerOptions,
    stream_names,
)

PLACE = ("delta_eta", "delta_phi")


def why_unexplained(options: ModelOptions, streams: Mapping[str, Stream]) -> str:
    """Return what keeps a variant from being explained, empty if nothing does.

    Maps need attention to, and tokens of, constituents whose places in the jet are among their features, and their
    pT to order them by.

    Args:
        options: of the variant.
        streams: ``features.streams``; those of the variant are among them.
    """
    if isinstance(options, GradientBoostingOptions | KinematicsMLPOptions):
        return f"is of kind {options.kind}, which has neither attention nor Grad-CAM; name another variant"
    placed = {
        name: stream.features
        for name in stream_names(options)
        if isinstance(stream := streams[name], ConstituentStream) and set(PLACE) <= set(stream.features)
    }
    if not any(placed.keys() >= keys for keys in _attended(options)):
        return f"has no attention to constituents with {' and '.join(PLACE)}; name a variant whose streams hold both"
    for name, features in placed.items():
        if "log_pt" not in features:
            return f"needs 'log_pt' in features.streams.{name}.features, found: {', '.join(features)}"
    return ""


def _attended(options: Any) -> list[set[str]]:
    """Streams on the key axis of each kind of attention layer that the variant's network has."""
    names = stream_names(options)
    encoders = getattr(options, "encoders", None) or dict.fromkeys(names, options.encoder)
    keys = [{name} for name, blocks in encoders.items() if blocks.layers]
    pooled = names
    if isinstance(options, CrossAttentionOptions):
        keys.append(set(names) - {options.query})
        pooled = names if options.join_pooled else [options.query]
    if getattr(options, "pooling", "") in ("attention", "class_attention"):
        keys += [{name} for name in pooled]
    if isinstance(options, AnalysisObjectOptions | ParticleTransformerOptions):
        keys += [set(names)] if options.class_attention.layers else []
    return keys
