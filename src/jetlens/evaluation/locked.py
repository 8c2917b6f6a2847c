"""The locked folds: what the tables of the rotations say, confirmed once on events that had no part in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jetlens.config.evaluation import EvaluationConfig
from jetlens.evaluation.gather import score_locked
from jetlens.evaluation.metrics import mean_area
from jetlens.evaluation.rejection import background_rejection
from jetlens.evaluation.scores import read_scores
from jetlens.features.normalisation import Normalisation
from jetlens.files import write_text


def confirm(
    models: Sequence[Path],
    features: Sequence[Path],
    scores: Path,
    output_csv: Path,
    *,
    variant: str,
    normalisation: Normalisation,
    evaluation: EvaluationConfig,
) -> None:
    """Write one line: AUC and rejection at ε_S = 0.5 of a variant on the locked folds, with errors.

    An event's score is the mean over the networks of all rotations and seeds, on one scale. Errors are those of the
    events: another set of networks is in none.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed and rotation.
        features: folders of the feature files, all parts of all samples.
        scores: ``evaluation/<variant>/scores.npz``.
        output_csv: the table to write.
        variant: its name.
        normalisation: process of each sample, and expected events per generator weight.
        evaluation: weights, bootstrap.

    Raises:
        FileError: if a model or a file cannot be used.
        NoEventsError: if a class has no locked event.
    """
    logit, events = score_locked(models, features, normalisation, read_scores(scores))
    label = events.features.label
    weight = np.ones(len(label)) if evaluation.weights == "unit" else events.features.weight
    area = mean_area(logit, label, weight)
    rejection = background_rejection(
        logit, label, 0.5, weight, replicas=evaluation.bootstrap, seed=evaluation.seed
    )
    line = {
        "variant": variant,
        "networks": len(models),
        "signal_events": int((label == 1).sum()),
        "background_events": int((label == 0).sum()),
        "auc": round(area.value, 6),
        "auc_error": round(area.spread.error, 6),
        "auc_low": round(area.interval[0], 6),
        "auc_high": round(area.interval[1], 6),
        "rejection_50": f"{'>' if rejection.is_limit else ''}{rejection.value:.5g}",
        "rejection_50_low": None if rejection.low is None else float(f"{rejection.low:.5g}"),
        "rejection_50_high": None if rejection.high is None else float(f"{rejection.high:.5g}"),
        "rejection_50_background_events": int(rejection.events),
    }
    write_text(output_csv, pd.DataFrame([line]).to_csv(index=False, lineterminator="\n"))


def join_lines(tables: Sequence[Path], output_csv: Path) -> None:
    """Write the lines of all variants as one table, in the order given."""
    lines = pd.concat([pd.read_csv(table, dtype=str, keep_default_na=False) for table in tables])
    write_text(output_csv, lines.to_csv(index=False, lineterminator="\n"))
