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
from jetlens.evaluation.comparison import paired_difference
from jetlens.evaluation.scores import read_scores
from jetlens.evaluation.stage import event_weights
from jetlens.files import atomic_path, read_json
from jetlens.statistics import holm

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
    "auc_error",
    *(
        f"rejection_{point}_{what}"
        for point in ("30", "50", "70")
        for what in ("low", "high", "background_events")
    ),
)
POINTS = ("0.3", "0.5", "0.7")
COMPARISON_COLUMNS = (
    "first",
    "second",
    "auc_difference",
    "error",
    "error_events",
    "z",
    "p_value",
    "comparisons",
    "p_value_holm",
)


def summarise(evaluation_dirs: Sequence[Path], output_csv: Path) -> None:
    """Write one line per variant, in the order given.

    ``auc`` is the mean over seeds, ``auc_spread`` the standard deviation over seeds (empty with one seed),
    ``auc_low``/``auc_high`` the 68 % interval over test events and seeds together, ``auc_error`` half of it. A
    rejection is written ``>x`` where fewer than three background events pass and x is the lower limit at 95 %
    confidence; its 68 % interval ``_low``/``_high`` is then empty. ``_background_events`` pass, a mean over seeds.

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
            f"{metrics['auc_error']:.6f}",
            *(_cell(detail[key][what]) for key in POINTS for what in ("low", "high", "events")),
        )
        rows.append(values)
    _write(output_csv, SUMMARY_COLUMNS, rows)


def compare(evaluation_dirs: Sequence[Path], output_csv: Path, *, evaluation: EvaluationConfig) -> None:
    """Write the AUC difference of every pair of variants, with error, z and p-value.

    ``error`` is half of the 68 % interval over test events and training seeds together, ``error_events`` the standard
    deviation over test events alone, with the seeds as they are. ``p_value`` is two-sided, ``z`` what it is in
    Gaussian standard deviations. ``comparisons`` were made in this table; ``p_value_holm`` is corrected for them.

    Raises:
        FileError: if a folder holds no scores, or two variants were scored on different events.
    """
    scores = {
        str(_metrics(folder)["variant"]): read_scores(folder / "scores.npz") for folder in evaluation_dirs
    }
    names, results = [], []
    for (name, first), (other, second) in itertools.combinations(scores.items(), 2):
        if not first.same_events(second):
            raise FileError(
                f"{output_csv}: '{name}' and '{other}' were scored on different test events; "
                f"run the evaluation stage again for both"
            )
        result = paired_difference(
            first.logits, second.logits, first.label, event_weights(first, evaluation.weights)
        )
        names.append((name, other))
        results.append(result)
    corrected = holm([result.p_value for result in results])
    rows = [
        (
            *pair,
            *(f"{x:.6f}" for x in (result.value, result.spread.error, result.spread.events)),
            f"{result.z:.3f}",
            f"{result.p_value:.3g}",
            len(results),
            f"{p:.3g}",
        )
        for pair, result, p in zip(names, results, corrected, strict=True)
    ]
    _write(output_csv, COMPARISON_COLUMNS, rows)


def _metrics(folder: Path) -> dict[str, Any]:
    path = Path(folder) / "metrics.json"
    try:
        content: dict[str, Any] = read_json(path)
    except (OSError, json.JSONDecodeError) as error:
        raise FileError(f"{path}: cannot be read ({error}); run the evaluation stage first") from error
    return content


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _rejection(entry: dict[str, Any]) -> str:
    return f"{'>' if entry['is_limit'] else ''}{entry['value']:g}"


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
