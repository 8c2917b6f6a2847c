"""Growing gradient-boosted trees by LightGBM (Ke et al., NeurIPS 2017), with the same digits at every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetlens.config.models import GradientBoostingOptions
from jetlens.features.batches import Batch, join
from jetlens.trained.trees import columns
from jetlens.training.data import Dataset

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class Grown:
    """Trees, and what each one brought.

    Attributes:
        trees: all of them.
        best: number of trees with the lowest validation loss.
        curves: for ``training_loss``, ``validation_loss``, ``validation_auc`` one value per tree.
    """

    trees: lightgbm.Booster
    best: int
    curves: dict[str, list[float]]


def whole(data: Dataset) -> Batch:
    """Return all events of a data set as one batch, in the order of the files."""
    return (
        next(data.batches(max(1, len(data)), trim=False)) if not data.streamed else join(list(data.buffers()))
    )


def grow(
    training: Batch, validation: Batch, options: GradientBoostingOptions, seed: int, threads: int
) -> Grown:
    """Grow trees until the validation loss has stopped falling.

    Args:
        training: all training events, weighted.
        validation: events that decide when to stop.
        options: sizes.
        seed: of column sampling.
        threads: for LightGBM.
    """
    import lightgbm

    settings = {
        "objective": "binary",
        "metric": ["binary_logloss", "auc"],
        "first_metric_only": True,
        "learning_rate": options.learning_rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.min_leaf,
        "lambda_l2": options.l2,
        "feature_fraction_bynode": options.column_share,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
    }
    first = lightgbm.Dataset(columns(training.inputs, options), training.label, weight=training.weight)
    second = lightgbm.Dataset(
        columns(validation.inputs, options), validation.label, weight=validation.weight, reference=first
    )
    record: dict[str, dict[str, list[float]]] = {}
    trees = lightgbm.train(
        settings,
        first,
        options.iterations,
        valid_sets=[first, second],
        valid_names=["training", "validation"],
        callbacks=[
            lightgbm.early_stopping(options.patience, first_metric_only=True, verbose=False),
            lightgbm.record_evaluation(record),
        ],
    )
    curves = {
        "training_loss": record["training"]["binary_logloss"],
        "validation_loss": record["validation"]["binary_logloss"],
        "validation_auc": record["validation"]["auc"],
    }
    return Grown(trees, trees.best_iteration or len(curves["validation_loss"]), curves)
