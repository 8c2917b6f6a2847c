"""Features of jet constituents: one token each, relative to the axis of their own jet.

Everything is computed from the event itself; nothing from labels, other events or samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.events.jagged import Jagged, Mask
from jetlens.events.kinematics import energy, wrap_phi
from jetlens.events.schema import TYPES
from jetlens.features.alignment import align
from jetlens.features.displaced import significance
from jetlens.features.registry import Registry, Symmetry, Values, log

FRACTION_FLOOR = 1e-6

COLUMNS = ("pt", "eta", "phi", "mass", "charge", "type", "d0", "d0_error", "dz", "dz_error")


@dataclass(frozen=True)
class JetConstituents:
    """Padded constituents of one jet per event: arrays (N, P), the jet's own (N, 1); GeV, radians, mm."""

    pt: Values
    energy: Values
    eta: Values
    phi: Values
    mass: Values
    charge: Values
    type: Values
    d0: Values
    d0_error: Values
    dz: Values
    dz_error: Values
    delta_eta: Values
    delta_phi: Values
    jet_pt: Values
    jet_energy: Values


CONSTITUENTS: Registry[JetConstituents] = Registry("constituent")
_add = CONSTITUENTS.add


def prepare(
    constituents: Jagged, jets: dict[str, Values], number: int, alignment: str
) -> tuple[JetConstituents, Mask]:
    """Pad the constituents of one jet per event and place them relative to its axis.

    Args:
        constituents: of that jet, over N events, leading in pT first; no constituents where an event lacks the jet.
        jets: the jets' ``pt``, ``eta``, ``phi``, ``mass``, each (N,).
        number: tokens kept, P.
        alignment: ``none``, ``centre``, ``rotate`` or ``flip``, see :mod:`jetlens.features.alignment`.

    Returns:
        the arrays (N, P), and bool (N, P), true where a token is real.
    """
    values: dict[str, NDArray[Any]] = {}
    for name in COLUMNS:
        values[name], mask = constituents.padded(name, number)
    delta_eta = np.where(mask, values["eta"] - jets["eta"][:, np.newaxis], 0)
    delta_phi = np.where(mask, wrap_phi(values["phi"] - jets["phi"][:, np.newaxis]), 0)
    delta_eta, delta_phi = align(delta_eta, delta_phi, values["pt"], mask, alignment)
    jet_energy = energy(jets["pt"], jets["eta"], jets["mass"])
    prepared = JetConstituents(
        **values,
        energy=energy(values["pt"], values["eta"], values["mass"]),
        delta_eta=delta_eta,
        delta_phi=delta_phi,
        jet_pt=jets["pt"][:, np.newaxis],
        jet_energy=jet_energy[:, np.newaxis],
    )
    return prepared, mask


@_add("", Symmetry(mirror=-1, turn="delta_eta"))
def delta_eta(c: JetConstituents) -> Values:
    """Pseudorapidity relative to the jet axis (after alignment: first coordinate)."""
    return c.delta_eta


@_add("rad", Symmetry(turn="delta_phi"))
def delta_phi(c: JetConstituents) -> Values:
    """Azimuth relative to the jet axis, wrapped (after alignment: second coordinate)."""
    return c.delta_phi


@_add("")
def delta_r(c: JetConstituents) -> Values:
    """Distance from the centre used, √(Δη² + Δφ²): the jet axis, after alignment the pT-weighted centroid."""
    return np.hypot(c.delta_eta, c.delta_phi)


@_add("GeV")
def pt(c: JetConstituents) -> Values:
    """Transverse momentum."""
    return c.pt


@_add("ln GeV")
def log_pt(c: JetConstituents) -> Values:
    """Logarithm of the transverse momentum."""
    return log(c.pt)


@_add("ln GeV", Symmetry(turn="energy", form="log"))
def log_energy(c: JetConstituents) -> Values:
    """Logarithm of the energy."""
    return log(c.energy)


@_add("")
def log_pt_fraction(c: JetConstituents) -> Values:
    """Logarithm of pT over the jet's pT."""
    return log(c.pt / np.maximum(c.jet_pt, 1e-3), FRACTION_FLOOR)


@_add("", Symmetry(turn="energy", form="log"))
def log_energy_fraction(c: JetConstituents) -> Values:
    """Logarithm of the energy over the jet's energy."""
    return log(c.energy / np.maximum(c.jet_energy, 1e-3), FRACTION_FLOOR)


@_add("e")
def charge(c: JetConstituents) -> Values:
    """Electric charge."""
    return c.charge


@_add("")
def is_track(c: JetConstituents) -> Values:
    """1 for tracks, 0 otherwise."""
    return np.equal(c.type, TYPES["track"])


@_add("")
def is_photon(c: JetConstituents) -> Values:
    """1 for photons, 0 otherwise."""
    return np.equal(c.type, TYPES["photon"])


@_add("")
def is_neutral_hadron(c: JetConstituents) -> Values:
    """1 for neutral hadrons, 0 otherwise."""
    return np.equal(c.type, TYPES["neutral_hadron"])


@_add("")
def is_tower(c: JetConstituents) -> Values:
    """1 for calorimeter towers that are neither photon nor neutral hadron by name, 0 otherwise."""
    return np.equal(c.type, TYPES["tower"])


@_add("mm", Symmetry(turn="d0"))
def d0(c: JetConstituents) -> Values:
    """Transverse impact parameter; 0 for neutrals."""
    return c.d0


@_add("mm", Symmetry(mirror=-1, turn="dz"))
def dz(c: JetConstituents) -> Values:
    """Longitudinal impact parameter; 0 for neutrals."""
    return c.dz


@_add("", Symmetry(turn="d0", form="tanh"))
def tanh_d0(c: JetConstituents) -> Values:
    """tanh(d0 / mm): bounded, as in ParT (arXiv:2202.03772)."""
    return np.tanh(c.d0)


@_add("", Symmetry(mirror=-1, turn="dz", form="tanh"))
def tanh_dz(c: JetConstituents) -> Values:
    """tanh(dz / mm): bounded, as in ParT (arXiv:2202.03772)."""
    return np.tanh(c.dz)


@_add("", Symmetry(turn="d0", form="significance"))
def d0_significance(c: JetConstituents) -> Values:
    """d0 over its error, cut to ±20; 0 where there is no error."""
    return significance(c.d0, c.d0_error)


@_add("", Symmetry(mirror=-1, turn="dz", form="significance"))
def dz_significance(c: JetConstituents) -> Values:
    """dz over its error, cut to ±20; 0 where there is no error."""
    return significance(c.dz, c.dz_error)
