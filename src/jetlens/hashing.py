"""Hashes of names and numbers that are the same on every machine and in every order: for folds and random deviates."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def name_key(name: str) -> np.uint64:
    """Return 64 bits that stand for a name, by BLAKE2b."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well mixed bits: one step of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def identities(part: str, numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return 64 bits (n,) that stand for an event of a file: files of one sample often number their events alike.

    Args:
        part: name of the file among those of its sample.
        numbers: of its events, (n,).
    """
    return mix(mix(np.asarray(numbers).astype(np.uint64)) ^ name_key(part)).view(np.int64)


def uniform(numbers: NDArray[Any], identities: NDArray[Any], stream: str) -> NDArray[np.float64]:
    """Return numbers (n,), even within (0, 1), that depend on event number, identity and the stream's name alone."""
    bits = mix(mix(np.asarray(numbers).astype(np.uint64)) ^ name_key(stream))
    bits = mix(bits ^ mix(np.asarray(identities).astype(np.uint64)))
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
