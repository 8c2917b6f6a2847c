"""The small language of the configuration: objects, sums of objects and numbers made of them.

Nothing is ever evaluated: text is matched against the table below, and what does not match is an error.

=====================================================  =====================================================
quantity                                               number per event
=====================================================  =====================================================
``count(jets)``                                        objects of a collection
``count_b_tagged(jets)``                               jets whose b-tag bit 0 is set
``fat_jets[0].mass``                                   a leaf of one object; 0 is the leading one in pT
``abs_eta(jets[0])``                                   |η|
``pt(a+b)``, ``mass(a+b)``                             transverse momentum, mass of a sum of objects [GeV]
``abs_delta_eta(a, b)``, ``abs_delta_phi(a, b)``       distances between objects or sums
``delta_r(a, b)``                                      √(Δη² + Δφ²)
``abs_delta_phi(a, met)``                              angle to the missing momentum
``min_abs_delta_phi(jets, met)``                       smallest such angle over a collection
``min_abs_delta_phi(jets[:3], met)``                   the same over its leading objects
``event.met``, ``event.met_phi``, ``event.ht``         of the event as a whole
=====================================================  =====================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jetlens.errors import ConfigError, did_you_mean

COLLECTIONS = ("fat_jets", "jets", "electrons", "muons")
LEAVES = {
    "fat_jets": (
        *("pt", "eta", "phi", "mass", "b_tag", "area", "n_charged", "n_neutrals", "soft_drop_mass"),
        *("tau1", "tau2", "tau3", "tau4", "tau5"),
    ),
    "jets": ("pt", "eta", "phi", "mass", "b_tag", "area"),
    "electrons": ("pt", "eta", "phi", "mass", "charge"),
    "muons": ("pt", "eta", "phi", "mass", "charge"),
}
EVENT = ("met", "met_phi", "ht")
FUNCTIONS = {
    "count": 1,
    "count_b_tagged": 1,
    "abs_eta": 1,
    "pt": 1,
    "mass": 1,
    "abs_delta_eta": 2,
    "abs_delta_phi": 2,
    "delta_r": 2,
    "min_abs_delta_phi": 2,
}
_OBJECT = re.compile(r"([A-Za-z_]+)\[(\d+)\]")
_LEAF = re.compile(r"([A-Za-z_]+)\[(\d+)\]\.([A-Za-z_0-9]+)")
_CALL = re.compile(r"([A-Za-z_]+)\((.*)\)")
_EVENT = re.compile(r"event\.([A-Za-z_]+)")
_SLICE = re.compile(r"([A-Za-z_]+)(?:\[:(\d+)\])?")


@dataclass(frozen=True)
class Objects:
    """A sum of single objects, each a collection and an index; ``missing`` stands for the missing momentum."""

    parts: tuple[tuple[str, int], ...]
    missing: bool = False


@dataclass(frozen=True)
class Group:
    """A whole collection, or its leading ``limit`` objects."""

    collection: str
    limit: int | None = None


@dataclass(frozen=True)
class Quantity:
    """A parsed quantity: a function's name and what it is applied to; ``leaf`` and ``event`` are functions too."""

    function: str
    arguments: tuple[Objects | Group, ...] = ()
    leaf: str = ""


def parse_quantity(text: str) -> Quantity:
    """Read one quantity.

    Raises:
        ConfigError: saying which word is unknown and which ones are allowed.
    """
    packed = "".join(text.split())
    if match := _EVENT.fullmatch(packed):
        _known(match[1], EVENT, text, "event quantity")
        return Quantity("event", leaf=match[1])
    if match := _LEAF.fullmatch(packed):
        _known(match[1], COLLECTIONS, text, "collection")
        _known(match[3], LEAVES[match[1]], text, f"leaf of {match[1]}")
        return Quantity("leaf", (Objects(((match[1], int(match[2])),)),), match[3])
    if match := _CALL.fullmatch(packed):
        return _parse_call(match[1], match[2].split(",") if match[2] else [], text)
    raise ConfigError(
        f"cannot read '{text}'; examples: count(jets), fat_jets[0].pt, abs_eta(jets[1]), event.met"
    )


def parse_objects(text: str, allow_missing: bool = False) -> Objects:
    """Read an object or a sum of objects, such as ``fat_jets[0]+fat_jets[1]``.

    Raises:
        ConfigError: if the text is something else.
    """
    packed = "".join(text.split())
    if allow_missing and packed == "met":
        return Objects((), missing=True)
    parts = []
    for word in packed.split("+"):
        match = _OBJECT.fullmatch(word)
        if match is None:
            raise ConfigError(
                f"'{text}' is no object; write collection[index], e.g. fat_jets[0] or jets[0]+jets[1]"
            )
        _known(match[1], COLLECTIONS, text, "collection")
        parts.append((match[1], int(match[2])))
    return Objects(tuple(parts))


def _parse_call(name: str, words: list[str], text: str) -> Quantity:
    _known(name, FUNCTIONS, text, "function")
    if len(words) != FUNCTIONS[name]:
        raise ConfigError(f"'{text}': {name} takes {FUNCTIONS[name]} argument(s), found {len(words)}")
    if name in ("count", "count_b_tagged"):
        _known(words[0], COLLECTIONS, text, "collection")
        if name == "count_b_tagged":
            _known(words[0], ("fat_jets", "jets"), text, "collection of jets")
        return Quantity(name, (Group(words[0]),))
    if name == "min_abs_delta_phi":
        match = _SLICE.fullmatch(words[0])
        _known(match[1] if match else words[0], COLLECTIONS, text, "collection")
        limit = int(match[2]) if match and match[2] else None
        return Quantity(
            name, (Group(match[1] if match else "", limit), parse_objects(words[1], allow_missing=True))
        )
    missing = name == "abs_delta_phi"
    return Quantity(name, tuple(parse_objects(word, allow_missing=missing) for word in words))


def _known(word: str, allowed: tuple[str, ...] | dict[str, int], text: str, kind: str) -> None:
    if word not in allowed:
        raise ConfigError(f"'{text}': unknown {kind} '{word}'{did_you_mean(word, allowed)}")
