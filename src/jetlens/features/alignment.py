"""Bringing jets into one frame in the (Δη, Δφ) plane, so that a network need not learn symmetries.

Each step includes the ones before it:

* ``centre``: the pT-weighted centroid of all kept constituents becomes the origin.
* ``rotate``: the principal axis, the eigenvector of the pT-weighted second moments with the larger eigenvalue, becomes
  the second (Δφ) axis. Its angle is ½·atan2(2 M_ηφ, M_ηη − M_φφ); an axis has no direction, so its sign is fixed by
  turning the half with more pT upwards.
* ``flip``: mirrored in the second axis if need be, so that the half with more pT is on the right.

Rotated coordinates mix η and φ: only distances keep their meaning. The same jet, rotated by any angle around its axis
or mirrored, gives the same aligned coordinates (tested).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Values = NDArray[Any]

ALIGNMENTS = ("none", "centre", "rotate", "flip")


def align(
    delta_eta: Values, delta_phi: Values, pt: Values, mask: Mask, alignment: str
) -> tuple[Values, Values]:
    """Centre, rotate and flip jets.

    Args:
        delta_eta: first coordinate, (N, P).
        delta_phi: second coordinate, (N, P).
        pt: weights [GeV], (N, P).
        mask: bool (N, P), true where a token is real.
        alignment: one of :data:`ALIGNMENTS`.

    Returns:
        aligned coordinates, float64 (N, P) each; zero in padded slots.
    """
    if alignment == "none":
        return delta_eta, delta_phi
    weight = np.where(mask, pt, 0).astype(np.float64)
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    x, y = delta_eta.astype(np.float64), delta_phi.astype(np.float64)
    x = np.where(mask, x - (weight * x).sum(axis=1, keepdims=True) / total, 0)
    y = np.where(mask, y - (weight * y).sum(axis=1, keepdims=True) / total, 0)
    if alignment in ("rotate", "flip"):
        xx, yy, xy = ((weight * product).sum(axis=1, keepdims=True) for product in (x * x, y * y, x * y))
        turn = np.pi / 2 - 0.5 * np.arctan2(2 * xy, xx - yy)
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        upwards = _heavier_side(weight, y)
        x, y = x * upwards, y * upwards  # half a turn, not a mirror image
    if alignment == "flip":
        x = x * _heavier_side(weight, x)
    return x, y


def _heavier_side(weight: Values, coordinate: Values) -> Values:
    """+1 if more weight is at positive than at negative coordinates, else −1; (N, 1)."""
    balance = (weight * np.sign(coordinate)).sum(axis=1, keepdims=True)
    return np.where(balance >= 0, 1.0, -1.0)
