"""What a trained network looks at, and how far that can be trusted."""

from jetlens.explanation.stage import explain

__all__ = ["explain"]
