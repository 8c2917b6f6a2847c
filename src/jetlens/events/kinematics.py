"""Relativistic kinematics on arrays; GeV and radians throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_ABS_ETA = 20.0
"""Pseudorapidities beyond are cut to this: Delphes writes ±999.9 for objects along the beam, and cosh overflows."""

Float = NDArray[Any]


def wrap_phi(phi: Float) -> Float:
    """Return angles wrapped to (−π, π]; values inside are left exactly as they are."""
    inside = (phi > -np.pi) & (phi <= np.pi)
    return np.where(inside, phi, np.pi - np.mod(np.pi - phi, 2 * np.pi)).astype(phi.dtype, copy=False)


def energy(pt: Float, eta: Float, mass: Float) -> Float:
    """Energy [GeV] from transverse momentum, pseudorapidity and mass: √(pT² cosh²η + m²), in double precision."""
    pt64 = pt.astype(np.float64, copy=False)
    momentum = pt64 * np.cosh(np.clip(eta.astype(np.float64, copy=False), -MAX_ABS_ETA, MAX_ABS_ETA))
    return np.sqrt(momentum**2 + mass.astype(np.float64, copy=False) ** 2)


def cartesian(pt: Float, eta: Float, phi: Float, mass: Float) -> Float:
    """Four-momenta (px, py, pz, E) [GeV], float64 (..., 4)."""
    pt64, phi64 = pt.astype(np.float64, copy=False), phi.astype(np.float64, copy=False)
    eta64 = np.clip(eta.astype(np.float64, copy=False), -MAX_ABS_ETA, MAX_ABS_ETA)
    pz = pt64 * np.sinh(eta64)
    return np.stack([pt64 * np.cos(phi64), pt64 * np.sin(phi64), pz, energy(pt64, eta64, mass)], axis=-1)


def from_cartesian(momentum: Float) -> tuple[Float, Float, Float, Float]:
    """Return pt, eta, phi and mass of four-momenta (..., 4); a negative m² (rounding) counts as zero."""
    px, py, pz, e = (momentum[..., i] for i in range(4))
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where(pt > 0, np.arcsinh(pz / pt), np.sign(pz) * MAX_ABS_ETA)
    mass = np.sqrt(np.maximum(e**2 - px**2 - py**2 - pz**2, 0.0))
    return pt, eta, np.arctan2(py, px), mass
