"""Tables over all variants: figures of merit, and paired differences."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jetlens.config.evaluation import EvaluationConfig
from jetlens.errors import FileError
from jetlens.evaluation.metrics import paired_difference
from jetlens.evaluation.scores import read_scores
from jetlens.evaluation.stage import event_weights
from jetlens.files import atomic_path, read_json

SUMMARY_COLUMNS = (
    "variant",
    "parameters",
    "auc",
    "auc_spread",
    "auc_low",
    "auc_high",
    "rejection_30",
    "rejection_50",
    "rejection_70",
    "training_seconds",
    "rejection_30_error",
    "rejection_50_error",
    "rejection_70_error",
)
POINTS = ("0.3", "0.5", "0.7")
COMPARISON_COLUMNS = (
    "first",
    "second",
    "auc_difference",
    "low",
    "high",
    "error_events",
    "same_sign_probability",
)


def summarise(evaluation_dirs: Sequence[Path], output_csv: Path) -> None:
    """Write one line per variant, in the order given.

    ``auc`` is the mean over seeds, ``auc_spread`` the standard deviation over seeds (empty with one seed),
    ``auc_low``/``auc_high`` the 68 % bootstrap interval over test events. A rejection is written ``>x``
    where no background event passes and x is the lower limit at 95 % confidence; its error is then empty. Errors of
    rejections are statistical, from the test events.

    Raises:
        FileError: if a folder holds no ``metrics.json``.
    """
    rows = []
    for folder in evaluation_dirs:
        metrics = _metrics(folder)
        detail = metrics["background_rejection_detail"]
        low, high = metrics["auc_interval"]
        values = (
            metrics["variant"],
            metrics["parameters"],
            f"{metrics['auc']:.6f}",
            "" if metrics["auc_spread"] is None else f"{metrics['auc_spread']:.6f}",
            f"{low:.6f}",
            f"{high:.6f}",
            *(_rejection(detail[key]) for key in POINTS),
            metrics["training_seconds"],
            *("" if detail[key]["error"] is None else f"{detail[key]['error']:g}" for key in POINTS),
        )
        rows.append(values)
    _write(output_csv, SUMMARY_COLUMNS, rows)


def compare(evaluation_dirs: Sequence[Path], output_csv: Path, *, evaluation: EvaluationConfig) -> None:
    """Write the AUC difference of every pair of variants, with errors from a paired bootstrap.

    ``low``/``high`` bound the 68 % interval over test events and training seeds together; ``error_events`` is
    the standard deviation over test events alone, with the seeds as they are.

    Raises:
        FileError: if a folder holds no scores, or two variants were scored on different events.
    """
    scores = {
        str(_metrics(folder)["variant"]): read_scores(folder / "scores.npz") for folder in evaluation_dirs
    }
    rows = []
    for (name, first), (other, second) in itertools.combinations(scores.items(), 2):
        if not first.same_events(second):
            raise FileError(
                f"{output_csv}: '{name}' and '{other}' were scored on different test events; "
                f"run the evaluation stage again for both"
            )
        result = paired_difference(
            first.logits,
            second.logits,
            first.label,
            replicas=evaluation.bootstrap,
            seed=evaluation.seed,
            weight=event_weights(first, evaluation.weights),
        )
        numbers = (result.value, *result.interval, result.error_events)
        rows.append((name, other, *(f"{x:.6f}" for x in numbers), f"{result.probability:.4f}"))
    _write(output_csv, COMPARISON_COLUMNS, rows)


def _metrics(folder: Path) -> dict[str, Any]:
    path = Path(folder) / "metrics.json"
    try:
        content: dict[str, Any] = read_json(path)
    except (OSError, json.JSONDecodeError) as error:
        raise FileError(f"{path}: cannot be read ({error}); run the evaluation stage first") from error
    return content


def _rejection(entry: dict[str, Any]) -> str:
    return f"{'>' if entry['is_limit'] else ''}{entry['value']:g}"


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
