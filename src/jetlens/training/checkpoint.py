"""Checkpoints of a training: everything that a killed run needs to go on as if nothing had happened.

One ``.npz`` of plain arrays per training, written anew under a temporary name after each epoch: weights, state of the
random generators and of the optimiser, best weights so far, and the history. Order of events and augmentation need no
state, since they are drawn from (seed, epoch).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from jetlens.files import atomic_path


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs done.
        steps: gradient steps done.
        best_loss: lowest validation loss so far.
        best_epoch: epoch it was reached in, counted from 1; 0: none.
        seconds: wall-clock time so far [s].
        history: one dictionary per epoch.
        best_weights: values of the model's weights at the best epoch.
    """

    epoch: int = 0
    steps: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: list[NDArray[Any]] = field(default_factory=list)


def save(
    path: Path,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    progress: Progress,
    fingerprint: str,
) -> None:
    """Write a checkpoint, atomically; ``fingerprint`` tells settings and data apart."""
    state = {k: v for k, v in vars(progress).items() if k != "best_weights"}
    state["best_loss"] = repr(progress.best_loss)
    arrays: dict[str, NDArray[Any]] = {"state": np.array(json.dumps({**state, "fingerprint": fingerprint}))}
    arrays |= {f"model_{i}": _value(v) for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i}": _value(v) for i, v in enumerate(optimizer.variables)}
    arrays |= {f"best_{i}": value for i, value in enumerate(progress.best_weights)}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def restore(
    path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer, fingerprint: str
) -> Progress | None:
    """Fill model and optimiser from a checkpoint, if there is one of the same settings and data.

    Returns:
        How far the training had come; None where there is no usable checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        state = json.loads(str(arrays["state"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    if state.pop("fingerprint", None) != fingerprint:
        return None
    for prefix, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"{prefix}_{i}"])
    best = [arrays[f"best_{i}"] for i in range(len(model.weights))] if "best_0" in arrays else []
    return Progress(**{**state, "best_loss": float(state["best_loss"])}, best_weights=best)


def _value(variable: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
