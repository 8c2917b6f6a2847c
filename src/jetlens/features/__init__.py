"""From selected events to the arrays that networks are trained on."""

from jetlens.features.build import build_event, build_features, build_stream

__all__ = ["build_event", "build_features", "build_stream"]
