"""Trained models as artefacts: :func:`load_model`, and :func:`score` for new files; how a folder is laid out."""

from jetlens.trained.model import load_model
from jetlens.trained.recipe import Recipe
from jetlens.trained.scoring import score

__all__ = ["Recipe", "load_model", "score"]
