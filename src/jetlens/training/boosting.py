"""Gradient boosting: scikit-learn grows the trees; they are stored as plain arrays and evaluated here.

So a stored model needs neither pickle nor the very version of scikit-learn that made it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.models import GradientBoostingOptions
from jetlens.errors import FileError
from jetlens.files import atomic_path
from jetlens.training.data import Arrays, Batch, Dataset, join

NODE_FIELDS = ("value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf")


@dataclass(frozen=True)
class Trees:
    """A sum of decision trees.

    Attributes:
        baseline: log-odds before the first tree.
        first: (trees + 1,) where each tree's nodes begin in the arrays below.
        nodes: arrays over all nodes; children are counted from the tree's first node.
    """

    baseline: float
    first: NDArray[np.int64]
    nodes: dict[str, NDArray[Any]]

    def staged(self, X: NDArray[np.float64]) -> Any:
        """Yield the logits (N,) after each tree, float64, for columns (N, C); NaN means missing."""
        logits = np.full(len(X), self.baseline)
        for first, last in zip(self.first[:-1], self.first[1:], strict=True):
            logits = logits + self._tree(X, int(first), int(last))
            yield logits

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return logits (N,) for columns (N, C)."""
        logits = np.full(len(X), self.baseline)
        for first, last in zip(self.first[:-1], self.first[1:], strict=True):
            logits += self._tree(X, int(first), int(last))
        return logits

    def truncated(self, trees: int) -> Trees:
        """Return the first ``trees`` trees."""
        end = int(self.first[trees])
        return Trees(self.baseline, self.first[: trees + 1], {k: v[:end] for k, v in self.nodes.items()})

    @property
    def parameters(self) -> int:
        """Number of thresholds and leaf values."""
        return len(self.nodes["value"])

    def _tree(self, X: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
        n = {name: array[first:last] for name, array in self.nodes.items()}
        at = np.zeros(len(X), dtype=np.int64)
        rows = np.flatnonzero(~n["is_leaf"][at].astype(bool))
        while len(rows):
            node = at[rows]
            x = X[rows, n["feature_idx"][node]]
            left = np.where(
                np.isnan(x), n["missing_go_to_left"][node].astype(bool), x <= n["num_threshold"][node]
            )
            at[rows] = np.where(left, n["left"][node], n["right"][node])
            rows = rows[~n["is_leaf"][at[rows]].astype(bool)]
        return np.asarray(n["value"][at], dtype=np.float64)


def columns(inputs: Arrays, options: GradientBoostingOptions) -> NDArray[np.float64]:
    """Lay tokens side by side: (N, C) from streams (N, T, F) and ``event`` (N, E); missing tokens are NaN."""
    parts = []
    for name in options.streams:
        values = np.where(inputs[f"{name}_mask"][..., None], inputs[name].astype(np.float64), np.nan)
        parts.append(values.reshape(len(values), -1))
    if options.use_event:
        parts.append(inputs["event"].astype(np.float64))
    return np.concatenate(parts, axis=1)


def whole(data: Dataset) -> Batch:
    """Return all events of a data set as one batch, in the order of the files."""
    return (
        next(data.batches(max(1, len(data)), trim=False)) if not data.streamed else join(list(data.buffers()))
    )


def grow(
    training: Batch, validation: Batch, options: GradientBoostingOptions, seed: int, threads: int
) -> tuple[Any, Trees]:
    """Grow trees until the validation loss has stopped falling.

    Args:
        training: all training events, weighted.
        validation: events that decide when to stop.
        options: sizes.
        seed: of column sampling.
        threads: for scikit-learn.

    Returns:
        scikit-learn's classifier and all its trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    classifier = HistGradientBoostingClassifier(
        max_iter=options.iterations,
        learning_rate=options.learning_rate,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.min_leaf,
        l2_regularization=options.l2,
        max_features=options.column_share,
        early_stopping=True,
        scoring="loss",
        n_iter_no_change=options.patience,
        tol=0.0,
        random_state=seed,
    )
    X = columns(training.inputs, options)
    X[:, np.isnan(X).all(axis=0)] = (
        0.0  # scikit-learn cannot bin a column without values; none splits on a constant
    )
    with threadpool_limits(threads):
        classifier.fit(
            X,
            training.label.astype(int),
            sample_weight=training.weight,
            X_val=columns(validation.inputs, options),
            y_val=validation.label.astype(int),
            sample_weight_val=validation.weight,
        )
    return classifier, extract(classifier)


def extract(classifier: Any) -> Trees:
    """Return the trees of a fitted binary HistGradientBoostingClassifier as plain arrays."""
    trees = [
        stage[0].nodes for stage in classifier._predictors
    ]  # scikit-learn has no public way to its trees
    first = np.cumsum([0, *(len(tree) for tree in trees)])
    nodes = {
        name: np.concatenate([np.ascontiguousarray(tree[name]) for tree in trees]) for name in NODE_FIELDS
    }
    return Trees(float(np.ravel(classifier._baseline_prediction)[0]), first.astype(np.int64), nodes)


def save(path: str | os.PathLike[str], trees: Trees) -> None:
    """Write trees as ``.npz``, atomically."""
    arrays = {"baseline": np.array(trees.baseline), "first": trees.first, **trees.nodes}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load(path: str | os.PathLike[str]) -> Trees:
    """Read trees.

    Raises:
        FileError: if the file is not what :func:`save` writes.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as archive:
            return Trees(
                float(archive["baseline"]), archive["first"], {name: archive[name] for name in NODE_FIELDS}
            )
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{path}: is no stored gradient boosting: {error}; train it again") from error
