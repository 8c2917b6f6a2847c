"""Evaluation of one variant: scores of the test events, figures of merit with errors, ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.evaluation import EvaluationConfig
from jetlens.evaluation.gather import score_variant
from jetlens.evaluation.metrics import Area, auc, mean_area, roc_curve, warn_if_few
from jetlens.evaluation.rejection import background_rejection
from jetlens.evaluation.scores import Scores, write_scores
from jetlens.features.normalisation import Normalisation
from jetlens.files import atomic_path, write_json
from jetlens.statistics import effective_events

SIGNAL_EFFICIENCIES = (0.3, 0.5, 0.7)
"""Working points at which the background rejection is quoted."""
ROC_GRID = np.linspace(0.0, 1.0, 201)
"""Signal efficiencies at which the ROC curves of the seeds are averaged."""


def evaluate(
    models: Sequence[Path],
    features: Sequence[Path],
    output: Path,
    *,
    variant: str,
    normalisation: Normalisation,
    evaluation: EvaluationConfig,
) -> None:
    """Measure a variant on the test folds; write ``scores.npz``, ``metrics.json`` and ``roc.csv``.

    With k-fold training every event is scored by the networks of the rotation that has it in its test folds, and by
    no other; the ROC curve is that of all events together, as an analysis would cut on them, with the scores of all
    rotations on one scale (:mod:`jetlens.evaluation.scale`).

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed and rotation.
        features: folders of the feature files, all parts of all samples.
        output: folder ``evaluation/<variant>``.
        variant: name of the variant.
        normalisation: process of each sample, and expected events per generator weight.
        evaluation: weights, bootstrap.

    Raises:
        FileError: if a model or a feature file cannot be used, or a score is not finite.
        NoEventsError: if a class has no test event.
    """
    scores, manifests = score_variant(models, features, normalisation)
    seeds = scores.seeds.tolist()
    content = {"variant": variant, "seeds": seeds, **_training(manifests), **measure(scores, evaluation)}
    write_scores(output / "scores.npz", scores)
    write_roc(output / "roc.csv", scores, evaluation)
    write_json(output / "metrics.json", content)


def event_weights(scores: Scores, weights: str) -> NDArray[np.float64]:
    """Return the weights that ``evaluation.weights`` asks for: ones or expected events."""
    return np.ones(len(scores)) if weights == "unit" else scores.weight


def measure(scores: Scores, evaluation: EvaluationConfig) -> dict[str, Any]:
    """Return all figures of merit, as written to ``metrics.json``.

    Top-level numbers use the weights that the configuration asks for; ``unit`` and ``physics`` repeat them
    for both. AUC and rejection are those of single networks, averaged over seeds (the rejection by its
    ε_B, since 1/ε_B has no finite mean), with errors over test events and seeds together (``auc_error_events``: over
    events alone); ``ensemble`` holds those of the mean logit.
    """
    warn_if_few(scores.label, event_weights(scores, evaluation.weights), "evaluation")
    by_weight = {
        kind: _figures(scores, event_weights(scores, kind), evaluation) for kind in ("unit", "physics")
    }
    signal = int((scores.label == 1).sum())
    return {
        "weights": evaluation.weights,
        **by_weight[evaluation.weights],
        "n_test": {"signal": signal, "background": len(scores) - signal},
        "by_weights": by_weight,
    }


def _figures(scores: Scores, weight: NDArray[np.float64], evaluation: EvaluationConfig) -> dict[str, Any]:
    area = mean_area(scores.logits, scores.label, weight)
    rejections = _rejections(scores.logits, scores, weight, evaluation)
    numbers = {"signal": scores.label == 1, "background": scores.label == 0}
    return {
        **_area(area),
        "auc_spread": _digits(area.per_seed.std(ddof=1)) if len(area.per_seed) > 1 else None,
        "auc_per_seed": [_digits(each) for each in area.per_seed],
        "auc_per_rotation": _per_rotation(scores, weight),
        "auc_per_process": _per_process(scores, weight),
        "background_rejection": {key: entry["value"] for key, entry in rejections.items()},
        "background_rejection_detail": rejections,
        "n_effective": {name: _significant(effective_events(weight[own])) for name, own in numbers.items()},
        "ensemble": {
            **_area(mean_area(scores.ensemble, scores.label, weight)),
            "background_rejection_detail": _rejections(scores.ensemble, scores, weight, evaluation),
        },
    }


def _area(area: Area) -> dict[str, Any]:
    return {
        "auc": _digits(area.value),
        "auc_error": _digits(area.spread.error),
        "auc_error_events": _digits(area.spread.events),
        "auc_interval": [_digits(edge) for edge in area.interval],
    }


def _rejections(
    logits: NDArray[np.float64], scores: Scores, weight: NDArray[np.float64], evaluation: EvaluationConfig
) -> dict[str, dict[str, Any]]:
    """Return the rejection at each working point, by the working point's name."""
    entries = {}
    for efficiency in SIGNAL_EFFICIENCIES:
        rejection = background_rejection(
            logits,
            scores.label,
            efficiency,
            weight,
            replicas=evaluation.bootstrap,
            seed=evaluation.seed,
        )
        content = asdict(rejection)
        for entry in (content, *content["per_seed"]):
            for key in entry.keys() & {"value", "low", "high", "threshold", "events"}:
                entry[key] = None if entry[key] is None else _significant(entry[key])
            for key in entry.keys() & {"signal_efficiency", "background_efficiency"}:
                entry[key] = _digits(entry[key])
        entries[f"{efficiency:.1f}"] = content
    return entries


def _per_process(scores: Scores, weight: NDArray[np.float64]) -> dict[str, float]:
    """Return the ensemble's AUC of all signal against each background process by itself."""
    process = scores.process_names[scores.sample]
    result = {}
    for name in dict.fromkeys(scores.process_names.tolist()):
        chosen = (scores.label == 1) | (process == name)
        background = (process == name) & (scores.label == 0)
        if background.any():
            result[name] = _digits(auc(scores.ensemble[chosen], scores.label[chosen], weight[chosen]))
    return result


def _per_rotation(scores: Scores, weight: NDArray[np.float64]) -> list[float | None]:
    """Return the AUC within each rotation's test events, averaged over seeds; None where a class is missing.

    The AUC of all events together is lower by what the rotations' networks still differ in scale.
    """
    areas: list[float | None] = []
    for rotation in range(int(scores.rotation.max()) + 1):
        own = scores.rotation == rotation
        label = scores.label[own]
        both = len(np.unique(label[weight[own] > 0])) == 2
        values = [auc(row[own], label, weight[own]) for row in scores.logits] if both else []
        areas.append(_digits(float(np.mean(values))) if values else None)
    return areas


def write_roc(path: Path, scores: Scores, evaluation: EvaluationConfig) -> None:
    """Write the ROC curve on a grid of signal efficiencies.

    Columns: ``signal_efficiency``; ``background_efficiency`` (mean over seeds), ``…_low``/``…_high`` (mean ∓
    standard deviation over seeds, as they are: with few events passing, the lower may be below 0), ``…_ensemble``;
    one column per seed; ``background_events`` (unweighted events at or above the cut, mean over seeds: where they are
    few, the curve is their fluctuation). Between two cuts the curve is a straight line, as for its area.
    """
    weight = event_weights(scores, evaluation.weights)
    drawn = [_on_grid(row, scores, weight) for row in scores.logits]
    rows = np.stack([share for share, _ in drawn])
    mean = rows.mean(axis=0)
    spread = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros_like(mean)
    columns = {
        "signal_efficiency": ROC_GRID,
        "background_efficiency": mean,
        "background_efficiency_low": mean - spread,
        "background_efficiency_high": mean + spread,
        "background_efficiency_ensemble": _on_grid(scores.ensemble, scores, weight)[0],
    }
    columns |= {
        f"background_efficiency_seed{seed}": row for seed, row in zip(scores.seeds, rows, strict=True)
    }
    columns["background_events"] = np.mean([events for _, events in drawn], axis=0)
    with atomic_path(path) as temporary:
        header = ",".join(columns)
        np.savetxt(
            temporary, np.stack(list(columns.values()), axis=1), "%.6f", ",", header=header, comments=""
        )


def _on_grid(
    row: NDArray[np.float64], scores: Scores, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interpolate ε_B at the grid's ε_S; on a vertical step the tightest cut that keeps ε_S counts.

    Returns:
        ε_B, and the number of background events that pass this tightest cut.
    """
    curve = roc_curve(row, scores.label, weight)
    last = np.append(np.diff(curve.signal) > 0, True)
    first = np.append(True, np.diff(curve.signal) > 0)
    # from (ε_S of the step before, its largest ε_B) to (ε_S of this step, its smallest ε_B)
    steps, low, high = curve.signal[first], curve.background[first], curve.background[last]
    after = np.clip(np.searchsorted(steps, ROC_GRID - 1e-9, side="left"), 0, len(steps) - 1)
    before = np.maximum(after - 1, 0)
    width = np.where(after > before, steps[after] - steps[before], 1.0)
    share = np.clip((ROC_GRID - steps[before]) / width, 0, 1)
    efficiency = np.where(after > before, high[before] + share * (low[after] - high[before]), low[after])
    background = np.sort(row[scores.label == 0])
    events = len(background) - np.searchsorted(background, curve.threshold[first][after], side="left")
    return efficiency, events.astype(np.float64)


def _training(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "parameters": manifests[0]["parameters"],
        "training_seconds": round(float(np.mean([entry["training_seconds"] for entry in manifests])), 2),
    }


def _digits(value: float) -> float:
    """Six decimals: far below any statistical error, far above floating-point noise."""
    return round(float(value), 6)


def _significant(value: float) -> float:
    """Five significant digits."""
    return float(f"{value:.5g}")
