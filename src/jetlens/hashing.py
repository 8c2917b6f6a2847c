"""Hashes of names and numbers that are the same on every machine and in every order: for folds and random deviates."""

from __future__ import annotations

import hashlib

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
