"""Vectors of awkward arrays and of numpy's backend: flat ones are many times faster in numpy, lists need awkward."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import vector

from jetlens.expressions.functions import COORDINATES
from jetlens.expressions.missing import has_missing

vector.register_awkward()
_CARTESIAN = {"t": "E", "x": "px", "y": "py", "z": "pz"}


def is_flat(array: Any) -> bool:
    """Whether objects are one per row, none missing."""
    if isinstance(array, vector.VectorNumpy):
        return True
    return isinstance(array, ak.Array) and array.ndim == 1 and not has_missing(array)


def numpy_vectors(array: Any) -> Any:
    """Flat objects as vectors of numpy's backend, without their further fields."""
    if isinstance(array, vector.VectorNumpy):
        return array
    fields = array.fields
    momentum = [COORDINATES[4], tuple(_CARTESIAN), COORDINATES[2]]
    names = next(names for names in momentum if set(names) <= set(fields))
    return vector.array({_CARTESIAN.get(name, name): np.asarray(array[name]) for name in names})


def awkward_vectors(array: Any) -> Any:
    """Vectors of numpy's backend as an awkward array; anything else as it is."""
    if not isinstance(array, vector.VectorNumpy):
        return array
    assert array.dtype.names is not None
    return ak.zip({name: np.asarray(array[name]) for name in array.dtype.names}, with_name="Momentum4D")
