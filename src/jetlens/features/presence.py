"""Which features say nothing of an input file: those made of columns that the file has not, filled with zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_IMPACT = {
    "d0": ("d0", "tanh_d0", "d0_significance"),
    "dz": ("dz", "tanh_dz", "dz_significance"),
}
_DISPLACED = {
    name: (f"n_displaced_{name}", *(f"max_{name}_significance_{rank}" for rank in (1, 2, 3)))
    for name in ("d0", "dz")
}
CONSTITUENTS: dict[str, tuple[str, ...]] = {
    "charge": ("charge",),
    **{name: (*features, *_DISPLACED[name]) for name, features in _IMPACT.items()},
    **{f"{name}_error": (f"{name}_significance", *_DISPLACED[name]) for name in _IMPACT},
}
"""Features made of a column of constituents, of the constituents themselves or of their jet."""
OBJECTS: dict[str, tuple[str, ...]] = {
    "b_tag": ("b_tag", "n_matched_b_tags", "n_b_jets"),
    "tau1": ("tau21",),
    "tau2": ("tau21", "tau32"),
    "tau3": ("tau32", "tau43"),
    "tau4": ("tau43",),
    "soft_drop_mass": ("log_soft_drop_mass",),
    "area": ("area",),
    "n_charged": ("n_charged", "n_constituents"),
    "n_neutrals": ("n_constituents",),
    "charge": ("charge",),
}
"""Features made of a column of any other collection."""
TRACKS = frozenset(feature for name in _IMPACT for feature in (*_IMPACT[name], *_DISPLACED[name]))
"""Features made of impact parameters."""


def lacking(kind: str, features: Sequence[str], lacks: Mapping[str, str]) -> dict[str, str]:
    """Return the features of a stream that are made of what the input file lacks, and why.

    Args:
        kind: of the stream; ``event`` of the event vector.
        features: of the stream.
        lacks: why columns are filled with zeros, see :func:`jetlens.skim.parquet.read_facts`.
    """
    found = {}
    for topic, why in lacks.items():
        inner, column = ".constituents." in topic, topic.rpartition(".")[2]
        made = (CONSTITUENTS if inner else OBJECTS).get(column, ())
        for feature in features:
            own = feature != "charge" or inner == (kind == "constituents")
            if feature in made and own:
                found[feature] = f"{topic} is taken as {why}"
    return found
