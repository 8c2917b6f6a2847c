"""Gradient-boosted trees as LightGBM writes them: a text file, read by the library and never executed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.models import GradientBoostingOptions
from jetlens.errors import FileError
from jetlens.features.batches import Arrays
from jetlens.features.featurefile import FeatureMetadata

if TYPE_CHECKING:
    import lightgbm

END = "end of trees"
"""LightGBM's own mark behind the last tree."""


def columns(inputs: Arrays, options: GradientBoostingOptions) -> NDArray[np.float64]:
    """Lay tokens side by side: (N, C) from streams (N, T, F) and ``event`` (N, E); missing tokens are NaN."""
    parts = []
    for name in options.streams:
        values = np.where(inputs[f"{name}_mask"][..., None], inputs[name].astype(np.float64), np.nan)
        parts.append(values.reshape(len(values), -1))
    if options.use_event:
        parts.append(inputs["event"].astype(np.float64))
    return np.concatenate(parts, axis=1)


def column_names(
    metadata: FeatureMetadata, options: GradientBoostingOptions, slots: dict[str, int]
) -> list[str]:
    """Return what each column is: ``<stream>[<token>].<feature>``, or ``event.<feature>``.

    Args:
        metadata: names streams, tokens and features.
        options: of the variant.
        slots: tokens of each stream, for those that have no names.
    """
    names = []
    for stream in options.streams:
        tokens = metadata.streams[stream].tokens or [str(i) for i in range(slots[stream])]
        names += [f"{stream}[{token}].{f}" for token in tokens for f in metadata.streams[stream].features]
    return names + ([f"event.{f}" for f in metadata.event.features] if options.use_event else [])


def read(path: str | os.PathLike[str]) -> lightgbm.Booster:
    """Read trees.

    Raises:
        FileError: if the file is not a whole model of LightGBM's.
    """
    import lightgbm

    try:
        text = Path(path).read_text(encoding="utf-8")
        if not text.startswith("tree\n") or END not in text:
            raise ValueError("it does not begin with 'tree', or ends early")
        return lightgbm.Booster(model_str=text)
    except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
        raise FileError(f"{path}: is no stored gradient boosting: {error}; train it again") from error


def logits(trees: lightgbm.Booster, X: NDArray[np.float64], threads: int = 1) -> NDArray[np.float32]:
    """Return logits (N,) for columns (N, C)."""
    if not len(X):
        return np.zeros(0, np.float32)
    return np.asarray(trees.predict(X, raw_score=True, num_threads=threads), dtype=np.float32)


def contributions(trees: lightgbm.Booster, X: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
    """Return each column's share of the logit (N, C + 1): Shapley values of the trees (arXiv:1802.03888).

    The last one is the mean logit of the training; together they sum to the logit.
    """
    return np.asarray(trees.predict(X, pred_contrib=True, num_threads=threads), dtype=np.float64)


def parameters(trees: lightgbm.Booster) -> int:
    """Return the number of thresholds and leaf values."""
    described: list[dict[str, Any]] = trees.dump_model()["tree_info"]
    return sum(2 * int(tree["num_leaves"]) - 1 for tree in described)
