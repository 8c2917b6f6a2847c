"""Random symmetries of collisions, applied to training events: more from few.

Each acts on raw features, found by their names, and leaves alone what it does not change. They hold for the detector
at hand only as far as it is symmetric: a cylinder, to good approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.features.featurefile import FeatureMetadata
from jetlens.training.data import Arrays

MIRRORED = ("eta", "delta_eta", "dz", "tanh_dz", "dz_significance")
"""Features that change sign under η → −η, z → −z."""
AZIMUTHS = ("phi", "met_phi")
"""Features that shift under a rotation about the beam."""
AZIMUTH_VECTORS = (("cos_phi", "sin_phi"), ("cos_met_phi", "sin_met_phi"))
"""Pairs of features that turn under a rotation about the beam."""


def augment(
    inputs: Arrays, metadata: FeatureMetadata, kinds: Sequence[str], rng: np.random.Generator
) -> Arrays:
    """Return inputs after random transformations, drawn afresh for each event; the given arrays stay untouched.

    Args:
        inputs: arrays of B events.
        metadata: names the features.
        kinds: ``rotate_constituents`` (Δη, Δφ about the jet's axis, each jet by its own angle), ``mirror_eta`` (the
            whole event), ``rotate_phi`` (the whole event about the beam).
        rng: source of randomness.
    """
    if not kinds:
        return inputs
    changed = {
        name: array.copy() for name, array in inputs.items() if name == "event" or name in metadata.streams
    }
    number = len(next(iter(changed.values())))
    sign = rng.choice(np.array([-1.0, 1.0], np.float32), number)
    angle = rng.uniform(-np.pi, np.pi, number).astype(np.float32)
    for name, array in changed.items():
        features = metadata.event.features if name == "event" else metadata.streams[name].features
        column = {feature: array[..., i] for i, feature in enumerate(features)}
        if "mirror_eta" in kinds:
            for feature in MIRRORED:
                if feature in column:
                    column[feature] *= _spread(sign, array.ndim - 1)
        if "rotate_phi" in kinds:
            for x, y in AZIMUTH_VECTORS:
                _rotate(column, x, y, _spread(angle, array.ndim - 1))
            for feature in AZIMUTHS:
                if feature in column:
                    column[feature][...] = _wrapped(column[feature] + _spread(angle, array.ndim - 1))
        if "rotate_constituents" in kinds and name in metadata.streams:
            own = rng.uniform(-np.pi, np.pi, number).astype(np.float32)
            _rotate(column, "delta_eta", "delta_phi", _spread(own, array.ndim - 1))
    for name in metadata.streams:
        if name in changed:  # padded slots stay zero
            changed[name] *= inputs[f"{name}_mask"][..., None]
    return {**inputs, **changed}


def _spread(values: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    return values.reshape((-1,) + (1,) * (dimensions - 1))


def _rotate(column: dict[str, Any], x: str, y: str, angle: NDArray[np.float32]) -> None:
    if x in column and y in column:
        c, s = np.cos(angle), np.sin(angle)
        column[x][...], column[y][...] = c * column[x] - s * column[y], s * column[x] + c * column[y]


def _wrapped(phi: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.pi - (np.pi - phi) % (2 * np.pi), dtype=np.float32)
