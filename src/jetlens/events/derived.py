"""Fields that need a function: ``function`` in a schema. Each takes the columns of all branches that the field names.

A branch that the file lacks is handed over as None; a function without any is not called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]

TRACK, PHOTON, NEUTRAL_HADRON = 0, 1, 2
_LEPTONS = (11, 13, 15)
_MASSES = {11: 0.000511, 13: 0.105658, 22: 0.0, 211: 0.13957, 321: 0.493677, 2212: 0.938272, 2112: 0.939565}
_MASSES |= {130: 0.497611, 310: 0.497611, 111: 0.134977, 3122: 1.115683, 3222: 1.18937, 3112: 1.197449}
_MASSES |= {3312: 1.32171, 3322: 1.31486, 3334: 1.67245, 12: 0.0, 14: 0.0, 16: 0.0}


def type_of_particle(charge: Column | None, pdg: Column | None) -> Column:
    """Type by charge and PDG code: charged ones are tracks, PDG code 22 photons, the rest neutral hadrons."""
    known = charge if charge is not None else pdg
    assert known is not None
    charged = np.zeros(len(known), dtype=bool) if charge is None else charge != 0
    photon = np.zeros(len(known), dtype=bool) if pdg is None else pdg == 22
    kinds = np.where(charged, TRACK, np.where(photon, PHOTON, NEUTRAL_HADRON))
    return kinds.astype(np.uint8)


def type_of_candidate(pdg: Column) -> Column:
    """Type of CMS' particle-flow candidates: 22 and 2 (forward) photons, 130 and 1 (forward) neutral hadrons."""
    size = np.abs(pdg)
    kinds = np.full(len(pdg), TRACK, dtype=np.uint8)
    kinds[(size == 22) | (size == 2)] = PHOTON
    kinds[(size == 130) | (size == 1)] = NEUTRAL_HADRON
    return kinds


def charge_of_candidate(pdg: Column) -> Column:
    """Charge of CMS' particle-flow candidates by PDG code, 0 for neutral ones."""
    lepton = np.isin(np.abs(pdg), _LEPTONS)
    charge = np.where(lepton, -np.sign(pdg), np.sign(pdg))
    return np.where(type_of_candidate(pdg) == TRACK, charge, 0).astype(np.int8)


def type_of_pdg(pdg: Column) -> Column:
    """Type of stable particles by PDG code."""
    neutral = np.isin(np.abs(pdg), (130, 310, 2112, 3122, 3322, 111, 12, 14, 16))
    kinds = np.where(pdg == 22, PHOTON, np.where(neutral, NEUTRAL_HADRON, TRACK))
    return kinds.astype(np.uint8)


def charge_of_pdg(pdg: Column) -> Column:
    """Charge of stable particles by PDG code: that of leptons, and of hadrons by the code's sign."""
    sign = np.where(np.isin(np.abs(pdg), (*_LEPTONS, 3112, 3312, 3334)), -np.sign(pdg), np.sign(pdg))
    return np.where(type_of_pdg(pdg) == TRACK, sign, 0).astype(np.int8)


def mass_of_pdg(pdg: Column) -> Column:
    """Mass [GeV] of stable particles by PDG code (PDG 2024); that of the charged pion for codes not listed."""
    size = np.abs(pdg).astype(np.int64)
    codes = np.array(sorted(_MASSES))
    masses = np.array([_MASSES[code] for code in codes])
    at = np.minimum(np.searchsorted(codes, size), len(codes) - 1)
    return np.where(codes[at] == size, masses[at], _MASSES[211])


def type_of_flags(photon: Column | None, neutral_hadron: Column | None) -> Column:
    """Type by two flags; what is neither a photon nor a neutral hadron is a track."""
    known = photon if photon is not None else neutral_hadron
    assert known is not None
    kinds = np.full(len(known), TRACK, dtype=np.uint8)
    if photon is not None:
        kinds[photon > 0] = PHOTON
    if neutral_hadron is not None:
        kinds[neutral_hadron > 0] = NEUTRAL_HADRON
    return kinds


def transverse(x: Column, y: Column) -> Column:
    """Size of a transverse momentum given by its components."""
    return np.hypot(x, y)


def azimuth(x: Column, y: Column) -> Column:
    """Azimuth of a transverse momentum given by its components, in (−π, π]."""
    return np.arctan2(y, x)


FUNCTIONS: dict[str, Callable[..., Column]] = {
    function.__name__: function
    for function in (
        *(type_of_particle, type_of_candidate, charge_of_candidate, type_of_pdg, charge_of_pdg, mass_of_pdg),
        *(type_of_flags, transverse, azimuth),
    )
}
"""By the name that schemas use."""
