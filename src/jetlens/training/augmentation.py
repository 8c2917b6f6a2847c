"""Random symmetries of collisions, applied to training events: more from few.

Each acts on raw features as they declare it (:class:`jetlens.expressions.feature.Symmetry`). They hold for the detector
at hand only as far as it is symmetric: a cylinder, to good approximation. ``rotate_constituents`` asks for more: that
impact parameters along and across the beam are measured equally well. Where they are not (Delphes' and real trackers
measure d0 better), turned tracks carry some of the error of dz in d0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError
from jetlens.expressions.symmetry import SIGNIFICANCE_MAX, why_not
from jetlens.features.batches import Arrays
from jetlens.features.featurefile import FeatureMetadata, StreamMetadata

Values = NDArray[Any]

TANH_MAX = np.float32(1.0 - 2.0**-24)
"""Largest tanh that is told from 1 in float32, that of 8.7 mm: beyond, only the direction of an impact is known."""


def check(metadata: FeatureMetadata, streams: Sequence[str], kinds: Sequence[str]) -> None:
    """Refuse augmentations that a stream's features, or those of the event vector, cannot follow.

    Raises:
        ConfigError: naming augmentation, stream, feature, and what it lacks.
    """
    for name, stream in [*((n, metadata.streams[n]) for n in streams), ("event", metadata.event)]:
        for kind in kinds:
            if reason := why_not(kind, stream.kind, stream.declared, stream.alignment):
                raise ConfigError(
                    f"training.augmentation: {kind}: in stream '{name}', {reason}; change the stream's features, or "
                    "leave this augmentation out"
                )


def augment(
    inputs: Arrays, metadata: FeatureMetadata, kinds: Sequence[str], rng: np.random.Generator
) -> Arrays:
    """Return inputs after random transformations, drawn afresh for each event; the given arrays stay untouched.

    Args:
        inputs: arrays of B events, whose features :func:`check` has let pass.
        metadata: names the features.
        kinds: ``rotate_constituents`` (each jet about its axis by its own angle, see :func:`turn`), ``mirror_eta``
            (the whole event), ``rotate_phi`` (the whole event about the beam).
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
        stream = metadata.event if name == "event" else metadata.streams[name]
        if "mirror_eta" in kinds:
            _mirror(array, stream, _spread(sign, array.ndim - 1))
        if "rotate_phi" in kinds:
            _rotate_phi(array, stream, _spread(angle, array.ndim - 1))
        if "rotate_constituents" in kinds and stream.kind == "constituents":
            own = rng.uniform(-np.pi, np.pi, number).astype(np.float32)
            turn(array, inputs[f"{name}_mask"], stream, own[:, None])
    for name in metadata.streams:
        if name in changed:  # padded slots stay zero
            changed[name] *= inputs[f"{name}_mask"][..., None]
    return {**inputs, **changed}


def turn(array: Values, real: Values, stream: StreamMetadata, angle: Values) -> None:
    """Turn constituents about their jet's axis, in place: (Δη, Δφ), impact parameters and energies.

    A plane perpendicular to a track has the axes of growing η and of growing φ; a small step along them is sin θ Δη
    and sin θ Δφ. In this plane a track passes the beam line's origin at (dz sin θ, −d0), d0 = x sin φ − y cos φ as
    Delphes has it. A decay at a distance L along the jet gives (−dz sin θ, d0) = L sin θ (Δη, Δφ), to first order in
    the jet's radius: both turn by the same angle. pT stays, so the energy is √(m² + pT² cosh² η) at the new η. A
    significance is the turned value over the track's own error, which is too large where the significance was cut.

    Args:
        array: features (B, T, F) of a stream that :func:`check` has let pass; changed.
        real: bool (B, T), which slots hold a constituent.
        stream: names the features.
        angle: (B, 1) [rad].
    """
    column = {feature: array[..., i] for i, feature in enumerate(stream.features)}
    declared = {name: s for name, s in stream.declared.items() if s and s.turn}
    if not declared:
        return
    c, s = np.cos(angle), np.sin(angle)
    before = column["delta_eta"].copy()
    x, y = c * before - s * column["delta_phi"], s * before + c * column["delta_phi"]
    if any(symmetry.turn not in ("delta_eta", "delta_phi") for symmetry in declared.values()):
        # E²/pT² = (m² + pT² cosh² η) / pT²: the mass stays, and so what it adds
        ratio = np.exp(column["log_energy"] - column["log_pt"])
        cosh, sinh = axis(before, column["log_pt"], ratio, real)
        old, new = (cosh * ch + sinh * sh for ch, sh in map(_hyperbolic, (before, x)))  # 1 / sin θ
        gain = 0.5 * np.log(np.maximum(ratio**2 + new**2 - old**2, 1)) - np.log(ratio)
    if any(symmetry.turn == "d0" for symmetry in declared.values()):
        d0, dz = (_impact(column, declared, name) for name in ("d0", "dz"))
        along, across = -dz / old, d0
        turned = {"d0": s * along + c * across, "dz": -(c * along - s * across) * new}
        was = {"d0": d0, "dz": dz}
    for name, symmetry in declared.items():
        values = column[name]
        if symmetry.turn in ("delta_eta", "delta_phi"):
            values[...] = x if symmetry.turn == "delta_eta" else y
        elif symmetry.turn == "energy":
            values += gain
        elif symmetry.form == "significance":  # over the track's own error, which stays
            there = (values != 0) & (was[symmetry.turn] != 0)
            factor = turned[symmetry.turn] / np.where(there, was[symmetry.turn], 1)
            values[...] = np.where(
                there, np.clip(values * factor, -SIGNIFICANCE_MAX, SIGNIFICANCE_MAX), values
            )
        else:
            values[...] = np.tanh(turned[symmetry.turn]) if symmetry.form == "tanh" else turned[symmetry.turn]


def axis(delta_eta: Values, log_pt: Values, ratio: Values, real: Values) -> tuple[Values, Values]:
    """Return cosh η₀ and sinh η₀, each (B, 1), of the point that Δη is counted from, found from the constituents.

    For massless ones E/pT = cosh(η₀ + Δη) = cosh η₀ cosh Δη + sinh η₀ sinh Δη: a linear fit, in which the hardest
    constituents count most, as masses matter least there (η₀ of the demo's jets to 0.004 in 99 %).

    Args:
        delta_eta: (B, T).
        log_pt: ln pT/GeV (B, T).
        ratio: E/pT (B, T).
        real: bool (B, T).
    """
    weight = np.where(real, np.exp(4 * (log_pt - log_pt.max(axis=1, keepdims=True))), 0).astype(np.float64)
    c, s = _hyperbolic(delta_eta)
    wc, ws = weight * c, weight * s
    cc, ss, cs, cr, sr = (
        np.einsum("bt,bt->b", a, b)[:, None] for a, b in ((wc, c), (ws, s), (wc, s), (wc, ratio), (ws, ratio))
    )
    determinant = np.maximum(cc * ss - cs * cs, 1e-12 * np.maximum(cc, 1e-30) ** 2)
    sinh = ((cc * sr - cs * cr) / determinant).astype(delta_eta.dtype)
    return np.sqrt(1 + sinh**2), sinh


def _hyperbolic(x: Values) -> tuple[Values, Values]:
    """cosh and sinh, by one exponential."""
    up = np.exp(x)
    down = 1 / up
    return 0.5 * (up + down), 0.5 * (up - down)


def _impact(column: dict[str, Values], declared: dict[str, Any], name: str) -> Values:
    """Return d0 or dz [mm], from itself or from its tanh."""
    for feature, symmetry in declared.items():
        if symmetry.turn == name and symmetry.form == "value":
            return column[feature].copy()
    tanh = column[next(f for f, s in declared.items() if s.turn == name and s.form == "tanh")]
    tanh = np.clip(tanh, -TANH_MAX, TANH_MAX)
    return np.asarray(0.5 * np.log((1 + tanh) / (1 - tanh)))


def _mirror(array: Values, stream: StreamMetadata, sign: Values) -> None:
    for i, (feature, symmetry) in enumerate(stream.declared.items()):
        # flipped jets have their heavier half on one side, mirrored or not
        if symmetry and symmetry.mirror < 0 and not (stream.alignment == "flip" and feature == "delta_eta"):
            array[..., i] *= sign


def _rotate_phi(array: Values, stream: StreamMetadata, angle: Values) -> None:
    place = {s.azimuth: i for i, s in enumerate(stream.declared.values()) if s}
    for azimuth, i in place.items():
        if azimuth == "angle":
            array[..., i] = _wrapped(array[..., i] + angle)
        elif azimuth.startswith("cos "):
            j = place[f"sin {azimuth.removeprefix('cos ')}"]
            c, s, x, y = np.cos(angle), np.sin(angle), array[..., i].copy(), array[..., j].copy()
            array[..., i], array[..., j] = c * x - s * y, s * x + c * y


def _spread(values: Values, dimensions: int) -> Values:
    return values.reshape((-1,) + (1,) * (dimensions - 1))


def _wrapped(phi: Values) -> Values:
    return np.asarray(np.pi - (np.pi - phi) % (2 * np.pi), dtype=np.float32)
