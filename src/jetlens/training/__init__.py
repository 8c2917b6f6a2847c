"""Training of the model variants: :func:`train`."""

from jetlens.training.job import train

__all__ = ["train"]
