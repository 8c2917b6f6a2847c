"""Vectors of awkward arrays and of numpy's backend: flat ones are many times faster in numpy, lists need awkward."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import vector

from jetlens.expressions.missing import has_missing

vector.register_awkward()
_SYSTEMS = (
    (("pt", "phi"), ("rho", "phi"), ("x", "y")),
    (("eta",), ("z",)),
    (("mass",), ("tau",), ("t",)),
)
"""Coordinates that vectors are stored in, by vector or in files: of the transverse plane, along the beam, in time."""
_MOMENTUM = {"rho": "pt", "x": "px", "y": "py", "z": "pz", "t": "E", "tau": "mass"}


def is_flat(array: Any) -> bool:
    """Whether objects are one per row, none missing."""
    if isinstance(array, vector.VectorNumpy):
        return True
    return isinstance(array, ak.Array) and array.ndim == 1 and not has_missing(array)


def numpy_vectors(array: Any) -> Any:
    """Flat objects as vectors of numpy's backend, without their further fields."""
    if isinstance(array, vector.VectorNumpy):
        return array
    stored = set(array.fields)
    found = [next((names for names in system if stored >= set(names)), ()) for system in _SYSTEMS]
    names = [name for system in found for name in system]
    return vector.array({_MOMENTUM.get(name, name): np.asarray(array[name]) for name in names})


def awkward_vectors(array: Any) -> Any:
    """Vectors of numpy's backend as an awkward array; anything else as it is."""
    if not isinstance(array, vector.VectorNumpy):
        return array
    names = array.dtype.names
    assert names is not None
    behaviour = f"Momentum{len(names)}D"
    return ak.zip({name: np.asarray(array[name]) for name in names}, with_name=behaviour)
