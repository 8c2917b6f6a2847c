"""Fitting the standardisation layers: means and scales of real tokens of training events, and of nothing else."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from jetlens.models.layers import Standardisation
from jetlens.training.data import Dataset


def fit(model: keras.Model, training: Dataset) -> None:
    """Set mean and scale of every standardisation layer from one pass over the training events.

    Every real token counts once, whatever its event's weight. A feature that never varies keeps scale 1.

    Args:
        model: a network with layers ``<stream>_standardisation``; changed in place.
        training: the training folds.
    """
    layers = {
        layer.name.removesuffix("_standardisation"): layer
        for layer in model.layers
        if isinstance(layer, Standardisation)
    }
    # running mean and sum of squared deviations, joined piece by piece (Chan et al. 1979): exact enough in one pass
    state: dict[str, tuple[Any, Any, Any]] = {}
    for buffer in training.buffers():
        for name, layer in layers.items():
            values = buffer.inputs[name].astype(np.float64)
            if name == "event":
                piece = _moments(values, np.ones(values.shape[:1], bool), 0)
            else:
                axis = 0 if layer.per_token else (0, 1)
                piece = _moments(values, buffer.inputs[f"{name}_mask"], axis)
            state[name] = _joined(state[name], piece) if name in state else piece
    for name, layer in layers.items():
        number, mean, squares = state[name]
        scale = np.sqrt(squares / np.maximum(number, 1.0))
        scale = np.where(scale > 1e-6 * np.maximum(np.abs(mean), 1e-3), scale, 1.0)
        layer.set_weights([mean.astype(np.float32), scale.astype(np.float32)])


def _moments(values: Any, real: Any, axis: Any) -> tuple[Any, Any, Any]:
    weight = real[..., None].astype(np.float64)
    number = weight.sum(axis=axis)
    mean = (values * weight).sum(axis=axis) / np.maximum(number, 1.0)
    squares = (weight * (values - mean) ** 2).sum(axis=axis)
    return number, mean, squares


def _joined(a: tuple[Any, Any, Any], b: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    number = a[0] + b[0]
    share = b[0] / np.maximum(number, 1.0)
    shift = b[1] - a[1]
    return number, a[1] + shift * share, a[2] + b[2] + shift**2 * a[0] * share
