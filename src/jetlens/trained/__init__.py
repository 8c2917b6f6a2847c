"""Trained models as artefacts: :func:`load_model`, and :func:`score` for new files; how a folder is laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetlens import lazy

if TYPE_CHECKING:
    from jetlens.trained.model import load_model
    from jetlens.trained.recipe import Recipe
    from jetlens.trained.scoring import score

__all__ = ["Recipe", "load_model", "score"]

__getattr__ = lazy.attributes(
    __name__, {"model": ("load_model",), "recipe": ("Recipe",), "scoring": ("score",)}
)
