"""From selected events to the arrays that networks are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetlens import lazy

if TYPE_CHECKING:
    from jetlens.features.build import build_event, build_features, build_stream

__all__ = ["build_event", "build_features", "build_stream"]

__getattr__ = lazy.attributes(__name__, {"build": __all__})
