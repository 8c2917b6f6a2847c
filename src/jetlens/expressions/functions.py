"""Functions, reducers, and vectors' properties and methods: the words of the language in one place.

Elementwise functions are called as in numpy, reducers as in awkward, properties and methods as in vector.
"""

from __future__ import annotations

from dataclasses import dataclass

CONDITIONS = ("isnan", "isfinite")
ELEMENTWISE: dict[str, int] = {
    **dict.fromkeys(
        ("abs", "sign", "floor", "ceil", "sqrt", "exp", "expm1", "log", "log1p", "log2", "log10"), 1
    ),
    **dict.fromkeys(
        ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh"), 1
    ),
    **dict.fromkeys(CONDITIONS, 1),
    **dict.fromkeys(("arctan2", "hypot", "minimum", "maximum"), 2),
}
"""Functions of numbers, named as in numpy, and how many arguments they take."""

SPECIAL: dict[str, tuple[int, str]] = {
    "where": (3, "where(condition, value, otherwise)"),
    "clip": (3, "clip(value, low, high)"),
    "is_none": (1, "is_none(value)"),
    "fill_none": (2, "fill_none(value, number)"),
    "num_near": (2, "num_near(jets[jets.b_tag], 0.8)"),
    "is_from": (-1, "is_from(jets)"),
}
"""Functions with rules of their own: how many arguments (-1: any), and an example."""


@dataclass(frozen=True)
class Reducer:
    """A function of all objects of an event: ``num(jets)``, ``max(jets.pt)``."""

    takes: tuple[str, ...]
    gives: str
    """``same``: as its argument."""
    keeps: bool = False
    """Whether there is still one entry per object."""


_NUMBERS = ("number", "integer")
REDUCERS: dict[str, Reducer] = {
    "num": Reducer((*_NUMBERS, "boolean", "object"), "integer"),
    "sum": Reducer((*_NUMBERS, "boolean", "object"), "same"),
    "prod": Reducer(_NUMBERS, "number"),
    "min": Reducer(_NUMBERS, "same"),
    "max": Reducer(_NUMBERS, "same"),
    "mean": Reducer((*_NUMBERS, "boolean"), "number"),
    "any": Reducer(("boolean",), "boolean"),
    "all": Reducer(("boolean",), "boolean"),
    "argmin": Reducer(_NUMBERS, "integer"),
    "argmax": Reducer(_NUMBERS, "integer"),
    "sort": Reducer(_NUMBERS, "same", keeps=True),
    "argsort": Reducer(_NUMBERS, "integer", keeps=True),
}

_TRANSVERSE = ("pt", "phi", "px", "py")
PROPERTIES: dict[int, tuple[str, ...]] = {
    0: (),
    2: _TRANSVERSE,
    4: (
        *_TRANSVERSE,
        *(
            "eta",
            "mass",
            "energy",
            "pz",
            "p",
            "theta",
            "costheta",
            "rapidity",
            "et",
            "mt",
            "beta",
            "gamma",
            "mass2",
        ),
    ),
}
"""Properties of transverse and of four-vectors, named as in vector."""
READS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("px", "py"), ("pt", "phi")),
    **dict.fromkeys(("pz", "p", "theta", "costheta"), ("pt", "eta")),
    "deltaphi": ("phi",),
    "deltaeta": ("eta",),
    "deltaR": ("eta", "phi"),
}
"""Columns that a property or method needs of a vector; all of its coordinates where it is not named."""

METHODS: dict[str, int] = {
    "deltaphi": 2,
    "deltaeta": 4,
    "deltaR": 4,
    "deltaRapidityPhi": 4,
    "deltaangle": 4,
}
"""Methods of a vector with another one, named as in vector, and the vectors that have them: 2, all; 4, four-vectors."""

FUNCTIONS = sorted([*ELEMENTWISE, *SPECIAL, *REDUCERS])
COORDINATES: dict[int, tuple[str, ...]] = {0: (), 2: ("pt", "phi"), 4: ("pt", "eta", "phi", "mass")}
