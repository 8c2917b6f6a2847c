"""A jet's own frame: the harder of its two subjets at the origin, the other at (1, 0).

Subjets are the two exclusive kT subjets (Catani et al., Nucl. Phys. B 406 (1993) 187) of the constituents that a
network reads: feature files do not hold the soft-drop ones of the input. Coordinates are in units of the subjets'
distance ΔR₁₂, so only what is a structure of the jet stays in place when jets are averaged. For drawing: networks need
not read aligned constituents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
JETS = 256
"""Jets that are clustered at a time."""


@dataclass(frozen=True)
class Subjets:
    """Two subjets of each of N jets.

    Attributes:
        eta: (N, 2) from the jet's axis, the harder one first; NaN in jets of fewer than two constituents.
        phi: (N, 2) [rad].
        pt: (N, 2) [GeV].
    """

    eta: Floats
    phi: Floats
    pt: Floats

    @property
    def distance(self) -> Floats:
        """ΔR₁₂, (N,)."""
        return np.asarray(np.hypot(self.eta[:, 1] - self.eta[:, 0], self.phi[:, 1] - self.phi[:, 0]))


def exclusive_subjets(eta: Floats, phi: Floats, pt: Floats, mask: Mask) -> Subjets:
    """Cluster constituents to two subjets: those of least kT² = min(pT², pT'²) ΔR² are joined first.

    Joined ones stand at their pT-weighted mean place: jets are small and their constituents light.

    Args:
        eta: (N, T) from the jet's axis.
        phi: (N, T) [rad].
        pt: (N, T) [GeV].
        mask: (N, T).
    """
    parts = [
        _cluster(
            eta[part].astype(np.float64),
            phi[part].astype(np.float64),
            pt[part].astype(np.float64),
            mask[part],
        )
        for part in (slice(i, i + JETS) for i in range(0, len(mask), JETS))
    ]
    return Subjets(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _cluster(eta: Floats, phi: Floats, pt: Floats, mask: Mask) -> tuple[Floats, Floats, Floats]:
    left, rows, slots = mask.copy(), np.arange(len(mask)), mask.shape[1]
    eta, phi, pt = (np.where(mask, x, 0) for x in (eta, phi, pt))
    upper = np.triu(np.ones((slots, slots), dtype=bool), 1)
    distance = np.minimum(pt[:, :, None], pt[:, None, :]) ** 2 * (
        (eta[:, :, None] - eta[:, None, :]) ** 2 + (phi[:, :, None] - phi[:, None, :]) ** 2
    )
    distance = np.where(left[:, :, None] & left[:, None, :] & upper, distance, np.inf)
    for _ in range(slots - 2):
        active = np.flatnonzero(left.sum(axis=1) > 2)
        if not len(active):
            break
        i, j = np.unravel_index(distance[active].reshape(len(active), -1).argmin(axis=1), (slots, slots))
        total = pt[active, i] + pt[active, j]
        for x in (eta, phi):
            x[active, i] = (x[active, i] * pt[active, i] + x[active, j] * pt[active, j]) / total
        pt[active, i] = total
        left[active, j] = False
        distance[active, j], distance[active, :, j] = np.inf, np.inf
        new = np.minimum(total[:, None], pt[active]) ** 2 * (
            (eta[active] - eta[active, i][:, None]) ** 2 + (phi[active] - phi[active, i][:, None]) ** 2
        )
        new = np.where(left[active], new, np.inf)
        before = np.arange(slots) < i[:, None]
        distance[active, i] = np.where(np.arange(slots) > i[:, None], new, np.inf)
        distance[active, :, i] = np.where(before, new, distance[active, :, i])
    order = np.argsort(-np.where(left, pt, -1), axis=1)[:, :2]
    enough = left.sum(axis=1) == 2
    return tuple(np.where(enough[:, None], x[rows[:, None], order], np.nan) for x in (eta, phi, pt))  # type: ignore[return-value]


def to_frame(eta: Any, phi: Any, subjets: Subjets) -> tuple[Floats, Floats]:
    """Return the coordinates (N, T) of constituents in their jet's frame, in units of ΔR₁₂."""
    a, b = (x - s[:, :1] for x, s in ((eta, subjets.eta), (phi, subjets.phi)))
    u, v = subjets.eta[:, 1] - subjets.eta[:, 0], subjets.phi[:, 1] - subjets.phi[:, 0]
    square = (u**2 + v**2)[:, None]
    u, v = u[:, None], v[:, None]
    return (a * u + b * v) / square, (b * u - a * v) / square


def turned(eta: Any, phi: Any, angle: Floats) -> tuple[Floats, Floats]:
    """Return constituents turned about their jet's axis by an angle per jet, (N,), while the subjets stay."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return c * eta - s * phi, s * eta + c * phi
