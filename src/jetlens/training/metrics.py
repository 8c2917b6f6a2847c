"""Loss and AUC as the training stage watches them, on weighted events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def binary_loss(logit: NDArray[Any], label: NDArray[Any], weight: NDArray[Any]) -> float:
    """Return the weighted mean binary cross-entropy of logits (N,) and labels (N,) in [0, 1]."""
    z, w = logit.astype(np.float64), weight.astype(np.float64)
    return float(np.sum(w * (np.logaddexp(0.0, z) - label * z)) / np.sum(w))


def weighted_auc(score: NDArray[Any], label: NDArray[Any], weight: NDArray[Any]) -> float:
    """Return the weighted share of (signal, background) pairs in the right order, ties counting half."""
    values, index = np.unique(score, return_inverse=True)
    signal = np.bincount(index, weight * label, len(values))
    background = np.bincount(index, weight * (1 - label), len(values))
    below = np.cumsum(background) - 0.5 * background
    return float(np.sum(signal * below) / (signal.sum() * background.sum()))
