"""From selected events to the arrays that networks are trained on."""

from jetlens.features.build import build_features

__all__ = ["build_features"]
