"""Events as models read them: arrays by the names of their inputs, packed and trimmed to their real tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Streams (B, T, F), their masks ``<stream>_mask`` (B, T), and ``event`` (B, E)."""


@dataclass(frozen=True)
class Batch:
    """Some events: inputs by name, labels (B,) 0 or 1, and loss weights (B,)."""

    inputs: Arrays
    label: NDArray[np.float32]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of events B."""
        return len(self.label)

    def take(self, index: NDArray[np.int64]) -> Batch:
        """Return the events ``index`` points at."""
        return Batch({k: v[index] for k, v in self.inputs.items()}, self.label[index], self.weight[index])


def pack(tokens: NDArray[Any], real: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Move real tokens to the front, in their order, so that the tail can be cut: (N, T, F) and (N, T)."""
    if (real[:, 1:] <= real[:, :-1]).all():
        return tokens, real
    order = np.argsort(~real, axis=1, kind="stable")
    return np.take_along_axis(tokens, order[..., None], axis=1), np.take_along_axis(real, order, axis=1)


def trim(inputs: Arrays, streams: Sequence[str]) -> Arrays:
    """Cut the token axis of packed ``streams`` to the longest event, at least one slot."""
    trimmed = dict(inputs)
    for name in streams:
        longest = max(1, int(inputs[f"{name}_mask"].sum(axis=1).max(initial=0)))
        trimmed[name] = inputs[name][:, :longest]
        trimmed[f"{name}_mask"] = inputs[f"{name}_mask"][:, :longest]
    return trimmed


def join(parts: list[Batch]) -> Batch:
    """Join batches of equal token axes, in order."""
    if len(parts) == 1:
        return parts[0]
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    return Batch(
        inputs,
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )
