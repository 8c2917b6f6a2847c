"""A register of named features, each with its unit and a line that says what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError, did_you_mean

Inputs = TypeVar("Inputs")
Values = NDArray[Any]

LOG_FLOOR = 1e-3
"""Smallest argument of the logarithm of a momentum or energy [GeV]: what is below counts as that."""

MASS_FLOOR = 1.0
"""The same for masses [GeV]: below, a jet's mass is all rounding and detector resolution."""


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

    mirror: int = 1
    azimuth: str = ""
    turn: str = ""
    form: str = "value"


INVARIANT = Symmetry()


@dataclass(frozen=True)
class Feature(Generic[Inputs]):
    """A named number per token or event; without a symmetry, no augmentation knows what to do with it."""

    name: str
    unit: str
    compute: Callable[[Inputs], Values]
    symmetry: Symmetry | None = INVARIANT

    @property
    def description(self) -> str:
        """First line of the docstring."""
        return (self.compute.__doc__ or "").strip().split("\n")[0]


class Registry(Generic[Inputs]):
    """Features of one kind of token, by name."""

    def __init__(self, kind: str) -> None:
        """Start an empty register for ``kind``, the word used in messages."""
        self.kind = kind
        self._features: dict[str, Feature[Inputs]] = {}

    def add(
        self, unit: str, symmetry: Symmetry | None = INVARIANT
    ) -> Callable[[Callable[[Inputs], Values]], Callable[[Inputs], Values]]:
        """Register the decorated function under its own name, with a unit and its symmetry."""

        def register(function: Callable[[Inputs], Values]) -> Callable[[Inputs], Values]:
            self._features[function.__name__] = Feature(function.__name__, unit, function, symmetry)
            return function

        return register

    def __iter__(self) -> Iterator[Feature[Inputs]]:
        """Iterate over the features in the order of their definition."""
        return iter(self._features.values())

    @property
    def names(self) -> list[str]:
        """All names."""
        return list(self._features)

    def require(self, names: Iterable[str]) -> None:
        """Make sure that all names are known.

        Raises:
            ConfigError: naming the unknown one and the closest known.
        """
        for name in names:
            if name not in self._features:
                raise ConfigError(f"unknown {self.kind} feature '{name}'{did_you_mean(name, self._features)}")

    def symmetry(self, name: str) -> Symmetry | None:
        """Return the symmetry of a feature; None where it is not known, or the feature is not."""
        feature = self._features.get(name)
        return feature.symmetry if feature else None

    def units(self, names: Iterable[str]) -> list[str]:
        """Units of the named features."""
        return [self._features[name].unit for name in names]

    def stack(self, names: Iterable[str], inputs: Inputs) -> NDArray[np.float32]:
        """Compute the named features and stack them along a new last axis, float32."""
        return np.stack([self._features[name].compute(inputs).astype(np.float32) for name in names], axis=-1)


def log(values: Values, floor: float = LOG_FLOOR) -> Values:
    """Natural logarithm of values, those below ``floor`` counting as ``floor``."""
    return np.log(np.maximum(values, floor))


def ratio(numerator: Values, denominator: Values) -> Values:
    """Quotient of arrays, 0 where the denominator is not above 0."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, 0.0)
