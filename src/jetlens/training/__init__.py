"""Training of the model variants: :func:`train`, :func:`load_model`, and :func:`score` for new files."""

from jetlens.training.application import Application
from jetlens.training.job import train
from jetlens.training.scoring import score
from jetlens.training.trained import load_model

__all__ = ["Application", "load_model", "score", "train"]
