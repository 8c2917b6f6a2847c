"""Stored trees score exactly as scikit-learn's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jetlens.errors import FileError
from jetlens.features.featurefile import FeatureSet
from jetlens.training import boosting, load_model, train
from jetlens.training.data import Dataset

from .conftest import BOOSTING, model_options, training_config


def test_stored_trees_equal_scikit_learn(files: list[Path], tmp_path: Path) -> None:
    options = model_options(BOOSTING)
    training, validation = (
        boosting.whole(Dataset(files, options.streams, role))
        for role in ("training", "validation")  # type: ignore[arg-type]
    )
    classifier, trees = boosting.grow(training, validation, options, seed=1, threads=1)
    boosting.save(tmp_path / "model.npz", trees)
    X = boosting.columns(validation.inputs, options)
    assert np.isnan(X).any()  # missing objects go through the trees as such
    stored = boosting.load(tmp_path / "model.npz").predict(X)
    assert np.array_equal(stored, classifier.decision_function(X))
    *_, last = trees.staged(X)
    assert np.array_equal(last, stored)


def test_trained_folder_scores(files: list[Path], tmp_path: Path) -> None:
    train(files, tmp_path, variant="gb", options=model_options(BOOSTING), training=training_config(), seed=1)
    model = load_model(tmp_path)
    everything = FeatureSet.join([FeatureSet.read(f) for f in files])
    logits = model.predict_logits(everything, batch_size=100)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, model.predict_logits(everything))
    assert logits[everything.label == 1].mean() > logits[everything.label == 0].mean() + 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.csv", "manifest.json", "model.npz"]


def test_damaged_trees_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", first=np.arange(3))
    with pytest.raises(FileError, match="no stored gradient boosting"):
        boosting.load(tmp_path / "model.npz")
