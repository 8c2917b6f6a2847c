"""Training of the model variants: :func:`train` writes a folder, :func:`load_model` reads it."""

from jetlens.training.job import train
from jetlens.training.trained import load_model

__all__ = ["load_model", "train"]
