"""What a field of a usual name means, unless a schema says otherwise: unit, range, type, and value where it is missing.

Delphes marks objects along the beam by η = ±999.9; NanoAOD rounds φ beyond ±π, and marks what was not computed by
negative numbers; φ runs to 2π in some files; a mass is negative where rounding makes m² so.
"""

from __future__ import annotations

import re
from typing import Any

MOMENTA = ("pt", "eta", "phi", "mass")
"""The momentum of every object in memory and in skim files."""
COORDINATES = (*MOMENTA, "rapidity", "energy", "px", "py", "pz")
"""Names that give a momentum in a file."""

MAX_ABS_ETA = 20.0
"""Pseudorapidities beyond are cut to this: Delphes writes ±999.9 for objects along the beam, and cosh overflows."""

_MOMENTUM = {"unit": "GeV", "low": 0.0, "high": 1e6}
_COMPONENT = {"unit": "GeV", "low": -1e6, "high": 1e6}
_ERROR = {"unit": "mm", "low": -1000.0, "high": 1e6, "fill": 0.0}
_COUNT = {"dtype": "int32", "fill": 0.0}

STANDARD: dict[str, dict[str, Any]] = {
    "event_number": {"dtype": "int64", "fill": "entry", "meaning": "number of the event"},
    "weight": {"dtype": "float64", "fill": 1.0, "meaning": "generator weight"},
    "ht": {**_MOMENTUM, "meaning": "scalar sum of transverse momenta"},
    "pt": {**_MOMENTUM, "meaning": "transverse momentum"},
    "eta": {"low": -1000.0, "high": 1000.0, "meaning": "pseudorapidity"},
    "rapidity": {"low": -1000.0, "high": 1000.0, "meaning": "rapidity"},
    "phi": {"unit": "rad", "low": -3.15, "high": 6.3, "meaning": "azimuth, in (−π, π]"},
    "mass": {"unit": "GeV", "low": -1e6, "high": 1e6, "meaning": "mass"},
    "energy": {"unit": "GeV", "low": -1e3, "high": 1e8, "meaning": "energy"},
    **{axis: {**_COMPONENT, "meaning": f"momentum along {axis[1]}"} for axis in ("px", "py", "pz")},
    "charge": {"unit": "e", "dtype": "int8", "fill": 0.0, "meaning": "electric charge"},
    "type": {"dtype": "uint8", "fill": 0.0, "meaning": "0 track, 1 photon, 2 neutral hadron, 3 tower"},
    "d0": {"unit": "mm", "low": -1e5, "high": 1e5, "fill": 0.0, "meaning": "transverse impact parameter"},
    "dz": {"unit": "mm", "low": -1e6, "high": 1e6, "fill": 0.0, "meaning": "longitudinal impact parameter"},
    "d0_error": {**_ERROR, "meaning": "error of d0"},
    "dz_error": {**_ERROR, "meaning": "error of dz"},
    "b_tag": {"dtype": "bool", "fill": 0.0, "meaning": "b-tagged"},
    "tau_tag": {"dtype": "bool", "fill": 0.0, "meaning": "tagged as a hadronic tau decay"},
    "area": {"low": 0.0, "high": 100.0, "fill": 0.0, "meaning": "transverse size of the area four-vector"},
    "soft_drop_mass": {
        "unit": "GeV",
        "low": -1000.0,
        "high": 1e6,
        "least": 0.0,
        "fill": 0.0,
        "meaning": "mass after soft drop",
    },
    **{
        f"tau{n}": {"low": -1000.0, "high": 1e6, "least": 0.0, "fill": 0.0, "meaning": f"{n}-subjettiness"}
        for n in range(1, 6)
    },
    "n_charged": {**_COUNT, "meaning": "number of charged constituents"},
    "n_neutrals": {**_COUNT, "meaning": "number of neutral constituents"},
    "isolation": {"low": -1.0, "high": 1e6, "fill": 0.0, "meaning": "relative isolation"},
}

TRUTH = re.compile(r"gen|true|truth|label|^is_|^aux|mc|lhe|flavou?r|pdgid|status", re.I)
"""Names of what only simulation knows, in files whose columns no schema explains."""
