"""Training of the model variants: :func:`train`, :func:`load_model`, and :func:`score` for new files."""

from jetlens.training.job import train
from jetlens.training.recipe import Recipe
from jetlens.training.scoring import score
from jetlens.training.trained import load_model

__all__ = ["Recipe", "load_model", "score", "train"]
