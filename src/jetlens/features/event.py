"""Event-level features: one vector per event, no tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from jetlens.events.kinematics import cartesian, from_cartesian, wrap_phi
from jetlens.features.objects import Events
from jetlens.features.registry import MASS_FLOOR, Registry, Symmetry, Values, log

EVENT: Registry[Events] = Registry("event")
_add = EVENT.add


@_add("GeV")
def ht(events: Events) -> Values:
    """Scalar sum of transverse momenta."""
    return events.ht


@_add("ln GeV")
def log_ht(events: Events) -> Values:
    """Logarithm of the scalar sum of transverse momenta."""
    return log(events.ht)


@_add("GeV")
def met(events: Events) -> Values:
    """Missing transverse momentum."""
    return events.met


@_add("ln GeV")
def log_met(events: Events) -> Values:
    """Logarithm of the missing transverse momentum."""
    return log(events.met)


@_add("rad", Symmetry(azimuth="angle"))
def met_phi(events: Events) -> Values:
    """Azimuth of the missing transverse momentum."""
    return events.met_phi


@_add("", Symmetry(azimuth="sin met_phi"))
def sin_met_phi(events: Events) -> Values:
    """Sine of the missing momentum's azimuth."""
    return np.sin(events.met_phi)


@_add("", Symmetry(azimuth="cos met_phi"))
def cos_met_phi(events: Events) -> Values:
    """Cosine of the missing momentum's azimuth."""
    return np.cos(events.met_phi)


@_add("√GeV")
def met_significance(events: Events) -> Values:
    """Missing transverse momentum over √HT, a proxy of its significance."""
    return events.met / np.sqrt(np.maximum(events.ht, 1.0))


@_add("")
def n_jets(events: Events) -> Values:
    """Number of small-radius jets."""
    return events.collections["jets"].counts


@_add("")
def n_b_jets(events: Events) -> Values:
    """Number of b-tagged small-radius jets."""
    jets = events.collections["jets"]
    return jets.select(jets["b_tag"].astype(bool)).counts


@_add("")
def n_fat_jets(events: Events) -> Values:
    """Number of large-radius jets."""
    return events.collections["fat_jets"].counts


@_add("")
def n_leptons(events: Events) -> Values:
    """Number of electrons and muons."""
    return events.collections["electrons"].counts + events.collections["muons"].counts


@_add("")
def delta_eta_jj(events: Events) -> Values:
    """|Δη| of the two leading fat jets; 0 with fewer than two."""
    pair, there = _leading(events, "fat_jets")
    return np.where(there, np.abs(pair["eta"][:, 0] - pair["eta"][:, 1]), 0)


@_add("rad")
def delta_phi_jj(events: Events) -> Values:
    """|Δφ| of the two leading fat jets; 0 with fewer than two."""
    pair, there = _leading(events, "fat_jets")
    return np.where(there, np.abs(wrap_phi(pair["phi"][:, 0] - pair["phi"][:, 1])), 0)


@_add("ln GeV")
def log_mass_jj(events: Events) -> Values:
    """Logarithm of the mass of the two leading fat jets; floored at 1 GeV, also with fewer than two."""
    pair, there = _leading(events, "fat_jets")
    return log(np.where(there, _mass(pair), 0), MASS_FLOOR)


@_add("ln GeV")
def log_mass_small_jj(events: Events) -> Values:
    """Logarithm of the mass of the two leading small-radius jets; floored at 1 GeV, also with fewer than two."""
    pair, there = _leading(events, "jets")
    return log(np.where(there, _mass(pair), 0), MASS_FLOOR)


@_add("rad")
def min_delta_phi_jet_met(events: Events) -> Values:
    """Smallest |Δφ| between a small-radius jet of the four leading ones and the missing momentum; π without jets."""
    jets = events.collections["jets"].leading(4)
    smallest = np.full(len(events), np.pi)
    distance = np.abs(wrap_phi(jets["phi"].astype(np.float64) - events.met_phi[jets.events]))
    np.minimum.at(smallest, jets.events, distance)
    return smallest


def _leading(events: Events, name: str) -> tuple[dict[str, Any], Any]:
    collection = events.collections[name]
    pair = {column: collection.padded(column, 2)[0] for column in ("pt", "eta", "phi", "mass")}
    return pair, collection.counts >= 2


def _mass(pair: dict[str, Any]) -> Values:
    momenta = cartesian(pair["pt"], pair["eta"], pair["phi"], pair["mass"])
    return from_cartesian(momenta.sum(axis=1))[3]
