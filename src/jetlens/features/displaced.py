"""Displaced tracks of a jet as numbers of the jet: what trees can know of the lifetimes of b and c hadrons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.events.jagged import Jagged
from jetlens.features.registry import Values

SIGNIFICANCE_MAX = 20.0
"""Significances are cut to ± this: beyond are K0S and Λ, and outliers would rule a standardisation."""
DISPLACED = 3.0
"""|d0/σ| from which on a track counts as displaced: 0.3 % of prompt ones."""
LARGEST = 3
"""How many of a jet's largest significances are kept: a b hadron has about five charged decay products."""


def significance(value: Values, error: Values) -> Values:
    """Return value over error, cut to ±:data:`SIGNIFICANCE_MAX`; 0 where there is no error."""
    known = error > 0
    return np.where(known, np.clip(value / np.where(known, error, 1), -SIGNIFICANCE_MAX, SIGNIFICANCE_MAX), 0)


def displaced_tracks(constituents: Jagged) -> dict[str, NDArray[Any]]:
    """Count displaced tracks and find the largest significances, over all constituents of one jet per event.

    Args:
        constituents: ``d0``, ``d0_error``, ``dz``, ``dz_error`` of that jet's, over N events.

    Returns:
        ``n_displaced_d0`` and ``max_d0_significance_1`` to ``_3``, falling, each (N,); the same of dz.
    """
    columns: dict[str, NDArray[Any]] = {}
    for name in ("d0", "dz"):
        size = np.abs(significance(constituents[name], constituents[f"{name}_error"]))
        ordered = Jagged(constituents.offsets, {"size": size}).sorted_by("size")
        columns[f"n_displaced_{name}"] = np.bincount(
            constituents.events, size > DISPLACED, minlength=len(constituents)
        )
        largest = ordered.padded("size", LARGEST)[0]
        for rank in range(LARGEST):
            columns[f"max_{name}_significance_{rank + 1}"] = largest[:, rank]
    return columns
