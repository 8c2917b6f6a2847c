"""What each symmetry of augmentation asks of the features: those that declare no behaviour are refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from jetlens.expressions.feature import FRAME, Symmetry

SIGNIFICANCE_MAX = 20.0
"""Significances of impact parameters are cut to ± this in the table of features: beyond are K0S and Λ."""
DIRECTION = ("log_pt", "log_energy")
"""What a constituent's polar angle is found from."""


def why_not(augmentation: str, kind: str, declared: Mapping[str, Symmetry | None], alignment: str) -> str:
    """Return what keeps an augmentation from being applied to a stream, empty if nothing does.

    Args:
        augmentation: ``rotate_constituents``, ``mirror_eta`` or ``rotate_phi``.
        kind: of the stream, or ``event``.
        declared: how each of its features changes; None: not known.
        alignment: of the stream, see :mod:`jetlens.features.alignment`.
    """
    for name, symmetry in declared.items():
        if symmetry is None and (augmentation != "rotate_constituents" or kind == "constituents"):
            return f"feature '{name}' declares no symmetry, so it cannot be augmented"
    known = {name: symmetry for name, symmetry in declared.items() if symmetry}
    if augmentation == "rotate_phi":
        return _half_a_vector(known)
    if augmentation == "rotate_constituents" and kind == "constituents":
        return _not_turnable(known, alignment)
    return ""


def _half_a_vector(known: dict[str, Symmetry]) -> str:
    present = {symmetry.azimuth: name for name, symmetry in known.items()}
    for azimuth, name in present.items():
        component, _, angle = azimuth.partition(" ")
        if angle and f"{'sin' if component == 'cos' else 'cos'} {angle}" not in present:
            return f"feature '{name}' turns together with the {'sine' if component == 'cos' else 'cosine'} of {angle}"
    return ""


def _not_turnable(known: dict[str, Symmetry], alignment: str) -> str:
    turning = {name: s for name, s in known.items() if s.turn}
    if turning and alignment in ("rotate", "flip"):
        return (
            f"alignment '{alignment}' gives jets one orientation, which a random turn would take away again"
        )
    values = {s.turn for s in turning.values() if s.form in ("value", "tanh")}
    for name, symmetry in turning.items():
        needed = [part for part in FRAME if part not in known]
        if symmetry.turn not in FRAME:
            needed += [part for part in DIRECTION if part not in known]
        if symmetry.turn in ("d0", "dz"):
            needed += [f"{part} or tanh_{part}" for part in ("d0", "dz") if part not in values]
        if needed:
            return f"feature '{name}' turns together with {', '.join(needed)}"
    return ""
