"""Features: named expressions with unit, label and behaviour under symmetries; the shipped ones are a table."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

import yaml

from jetlens.errors import ConfigError
from jetlens.expressions.check import check
from jetlens.expressions.functions import FUNCTIONS, PROPERTIES
from jetlens.expressions.names import SUM, Namespace
from jetlens.expressions.syntax import parse
from jetlens.expressions.tree import Checked

Level = Literal["constituents", "tokens", "event"]
LEVELS: tuple[Level, ...] = ("constituents", "tokens", "event")
HYPOTHESIS = "mass_hypothesis"
"""A number of the event that no file has: the sample's mass, or one of the signals' [GeV]."""
MASS_FEATURE = "log_mass_hypothesis"
"""The one feature that reads it: trainings draw it anew, and events are scored with it at every hypothesis."""
FRAME = ("delta_eta", "delta_phi")
"""Coordinates of a constituent relative to its jet, in the stream's alignment."""


@dataclass(frozen=True)
class Symmetry:
    """How a feature changes under the symmetries used in augmentation; the default: it does not.

    Attributes:
        mirror: factor under η → −η, z → −z: 1 or −1.
        azimuth: under φ → φ + α: empty (unchanged), ``angle`` (shifted by α), or ``cos <angle>``, ``sin <angle>``
            (components that turn together).
        turn: what a turn of a jet's constituents about its axis changes in it: empty (nothing), ``delta_eta``,
            ``delta_phi``, ``d0``, ``dz`` or ``energy``.
        form: what the feature is of that quantity: ``value``, ``tanh``, ``log`` (up to a constant of the jet), or
            ``significance`` (over its own error).
    """

    mirror: Literal[1, -1] = 1
    azimuth: str = ""
    turn: Literal["", "delta_eta", "delta_phi", "d0", "dz", "energy"] = ""
    form: Literal["value", "tanh", "log", "significance"] = "value"


@dataclass(frozen=True)
class Feature:
    """A named number per constituent, token or event; the keys are explained in ``features.yaml``.

    Attributes:
        symmetry: None where it is not known: then no augmentation knows what to do with it.
    """

    name: str
    expression: str
    unit: str = ""
    label: str = ""
    meaning: str = ""
    fill: float | None = None
    symmetry: Symmetry | None = field(default=None)

    def fit(self, names: Namespace) -> Checked | None:
        """Check the expression for one kind of token, or for events.

        Args:
            names: about the token or constituent, or of the event.

        Returns:
            the checked expression; None if this kind of token does not have what it needs, and ``fill`` stands for it.

        Raises:
            ConfigError: if the expression is wrong, or what it needs is not there and there is no ``fill``.
        """
        lacking = _lacking(self.expression, names)
        if lacking and self.fill is not None:
            return None
        if lacking:
            what = "a sum of objects" if names.own is SUM or names.own is None else f"one of {names.own.name}"
            raise ConfigError(
                f"feature '{self.name}' needs '{lacking}', which {what} has not; give the feature a fill"
            )
        try:
            return check(self.expression, names, "number")
        except ConfigError as error:
            raise ConfigError(f"feature '{self.name}': {error}") from error


def _lacking(text: str, names: Namespace) -> str:
    """A field that other objects have, but not the ones at hand; empty if there is none."""
    if names.own is None:
        return ""
    own = {*names.own.fields, *names.own.nested}
    elsewhere = {leaf for one in names.collections.values() for leaf in (*one.fields, *one.nested)} - own
    for node in ast.walk(parse(text).tree):
        if isinstance(node, ast.Name):
            for name in (node.id, f"{node.id}1"):  # tau[0] is the field tau1
                if name in elsewhere and not _known(node.id, names):
                    return node.id
    return ""


def _known(name: str, names: Namespace) -> bool:
    own = names.own
    mine = own is not None and name in PROPERTIES[own.momentum]
    return mine or any(
        name in known
        for known in (names.collections, names.objects, names.scalars, names.definitions, FUNCTIONS)
    )


def about_constituents(names: Namespace, jets: str, constituents: str = "constituents") -> Namespace:
    """Return the namespace of expressions about one constituent, which has ``jet`` and :data:`FRAME` besides."""
    return names.with_objects({"jet": names.collections[jets]}).about(f"{jets}.{constituents}", FRAME)


@functools.cache
def shipped() -> Mapping[Level, Mapping[str, Feature]]:
    """Return the shipped features by what they are of, and name."""
    table = yaml.safe_load(resources.files(__package__).joinpath("features.yaml").read_text(encoding="utf-8"))
    return {level: {name: _feature(name, entry) for name, entry in table[level].items()} for level in LEVELS}


def _feature(name: str, entry: dict[str, Any]) -> Feature:
    symmetry = entry.pop("symmetry", None)
    known = Symmetry(**(symmetry if isinstance(symmetry, dict) else {})) if symmetry else None
    return Feature(name=name, symmetry=known, **entry)
