"""Scores of a variant's networks on the events that they never saw: test, validation and locked ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.evaluation.scale import common_scale
from jetlens.evaluation.scores import Scores
from jetlens.evaluation.testset import TestSet, read_test_set
from jetlens.features.normalisation import Normalisation
from jetlens.trained.ensemble import folds_by_rotation

Floats = NDArray[np.float64]


def score_variant(
    models: Sequence[Path], features: Sequence[Path], normalisation: Normalisation
) -> tuple[Scores, list[dict[str, Any]]]:
    """Score each event of a variant's test and validation folds by the networks of its rotation.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed and rotation.
        features: folders of the feature files, all parts of all samples.
        normalisation: process of each sample, and expected events per generator weight.

    Returns:
        The scores, and the models' manifests.

    Raises:
        FileError: if a model or a feature file cannot be used.
        NoEventsError: if there is no test or validation event.
    """
    from jetlens.trained import load_model  # brings a whole back end with it

    trained = [load_model(folder) for folder in models]
    manifests = [model.manifest for model in trained]
    test_folds = folds_by_rotation(manifests)
    validation_folds = {int(entry["rotation"]): list(entry["folds"]["validation"]) for entry in manifests}
    seeds = list(dict.fromkeys(entry["seed"] for entry in manifests))
    test, validation = (
        read_test_set(
            features,
            normalisation,
            None,
            trained[0].streams,
            sorted({k for named in folds.values() for k in named}),
        )
        for folds in (test_folds, validation_folds)
    )
    logits, rotation, order = _by_rotation(trained, seeds, test, test_folds)
    logits, rotation = logits[:, np.argsort(order)], rotation[np.argsort(order)]
    validated, turn, chosen = _by_rotation(trained, seeds, validation, validation_folds)
    label = validation.features.label[chosen]
    number = len(test_folds)
    scales = [common_scale(row, label, turn, number) for row in validated]
    ensemble = common_scale(validated.mean(axis=0), label, turn, number)
    # an event on which several rotations validate stands for itself once
    weight = validation.features.weight / np.bincount(chosen, minlength=len(validation.features))
    scores = Scores(
        logits=np.stack([scale.apply(row, rotation) for scale, row in zip(scales, logits, strict=True)]),
        ensemble=ensemble.apply(logits.mean(axis=0), rotation),
        seeds=np.array(seeds, dtype=np.int64),
        label=test.features.label,
        weight=test.features.weight,
        event_number=test.features.event_number,
        rotation=rotation,
        sample=test.sample,
        sample_names=np.array(test.samples),
        process_names=np.array(test.processes),
        sample_expected=test.expected,
        seed_offset=np.stack([scale.offset for scale in scales]),
        seed_slope=np.stack([scale.slope for scale in scales]),
        ensemble_offset=ensemble.offset,
        ensemble_slope=ensemble.slope,
        validation_ensemble=ensemble.apply(validated.mean(axis=0), turn),
        validation_label=label,
        validation_weight=weight[chosen],
        validation_sample=validation.sample[chosen],
        validation_rotation=turn,
    )
    return scores, manifests


def _by_rotation(
    trained: Sequence[Any], seeds: list[int], events: TestSet, folds: dict[int, list[int]]
) -> tuple[Floats, NDArray[np.uint8], NDArray[np.int64]]:
    """Score events by the networks of each rotation that has them in its folds.

    Returns:
        Logits (S, M), rotation (M,), and which event each is of (M,), rotation after rotation.
    """
    own = {r: np.flatnonzero(np.isin(events.features.fold, folds[r])) for r in sorted(folds)}
    first = dict(zip(own, np.cumsum([0, *(len(index) for index in own.values())]), strict=False))
    chosen = np.concatenate(list(own.values()))
    logits = np.empty((len(seeds), len(chosen)))
    for r, index in own.items():
        picked = events.features.select(index)
        for model in trained:
            if model.manifest["rotation"] == r:
                row = logits[seeds.index(model.manifest["seed"])]
                row[first[r] : first[r] + len(index)] = model.predict_logits(picked)
    rotation = np.repeat(np.array(list(own), dtype=np.uint8), [len(index) for index in own.values()])
    return logits, rotation, chosen


def score_locked(
    models: Sequence[Path], features: Sequence[Path], normalisation: Normalisation, scores: Scores
) -> tuple[Floats, TestSet]:
    """Score the locked folds by all of a variant's networks.

    Args:
        models: as in :func:`score_variant`.
        features: likewise.
        normalisation: likewise.
        scores: of the variant's evaluation, for the scale of its rotations.

    Returns:
        (N,) mean over rotations of the mean over seeds, on the common scale; and the events.

    Raises:
        FileError: if a model or a feature file cannot be used.
        NoEventsError: if there is no locked event.
    """
    from jetlens.trained import load_model

    trained = [load_model(folder) for folder in models]
    locked = trained[0].manifest["features"]["locked_folds"]
    events = read_test_set(features, normalisation, None, trained[0].streams, locked)
    by_rotation: dict[int, list[Floats]] = {}
    for model in trained:
        logit = model.predict_logits(events.features).astype(np.float64)
        by_rotation.setdefault(int(model.manifest["rotation"]), []).append(logit)
    rows = [
        scores.scale.apply(np.mean(own, axis=0), np.full(len(events.features), r, dtype=np.uint8))
        for r, own in sorted(by_rotation.items())
    ]
    return np.mean(rows, axis=0), events
