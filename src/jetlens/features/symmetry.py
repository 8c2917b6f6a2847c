"""What each symmetry of augmentation asks of the features: those that declare no behaviour are refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jetlens.features.constituents import CONSTITUENTS
from jetlens.features.event import EVENT
from jetlens.features.objects import KINEMATICS, OBJECTS
from jetlens.features.registry import Registry, Symmetry

REGISTRIES: dict[str, Registry[Any]] = {
    "constituents": CONSTITUENTS,
    "kinematics": KINEMATICS,
    "objects": OBJECTS,
    "event": EVENT,
}
PLACE = ("delta_eta", "delta_phi")
DIRECTION = ("log_pt", "log_energy")
"""What a constituent's polar angle is found from."""


def symmetries(kind: str, features: Sequence[str]) -> dict[str, Symmetry | None]:
    """Return how features of a kind of stream, or of the event vector (``event``), change; None: not known."""
    return {name: REGISTRIES[kind].symmetry(name) for name in features}


def why_not(augmentation: str, kind: str, features: Sequence[str], alignment: str) -> str:
    """Return what keeps an augmentation from being applied to a stream, empty if nothing does.

    Args:
        augmentation: ``rotate_constituents``, ``mirror_eta`` or ``rotate_phi``.
        kind: of the stream, or ``event``.
        features: of the stream.
        alignment: of the stream, see :mod:`jetlens.features.alignment`.
    """
    declared = symmetries(kind, features)
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
        needed = [part for part in PLACE if part not in known]
        if symmetry.turn not in PLACE:
            needed += [part for part in DIRECTION if part not in known]
        if symmetry.turn in ("d0", "dz"):
            needed += [f"{part} or tanh_{part}" for part in ("d0", "dz") if part not in values]
        if needed:
            return f"feature '{name}' turns together with {', '.join(needed)}"
    return ""
