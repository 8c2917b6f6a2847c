"""A trained model applied to event files scores as the evaluation of its own features does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.load import load
from jetlens.errors import FileError
from jetlens.features.featurefile import read_features
from jetlens.training import Application, load_model, score, train
from tests.conftest import DEMO, ROOT

from .conftest import BOOSTING, model_options, training_config


def test_scores_of_files_are_those_of_their_features(
    files: list[Path], demo_features: dict[str, Path], tmp_path: Path
) -> None:
    config = load(ROOT / "config" / "config.yaml")
    application = Application(reading=config.reading, skim=config.skim, features=config.features)
    for name, options in (("network", model_options()), ("trees", model_options(BOOSTING))):
        folder = tmp_path / name
        settings = training_config(epochs=1)
        train(
            files, folder, variant=name, options=options, training=settings, seed=1, application=application
        )
        sources = [str(DEMO / "ttbar_had.root"), str(DEMO / "qcd_bbbar.root")]
        number = score(folder, sources, tmp_path / "scores.npz")
        features = [read_features(demo_features[sample]) for sample in ("ttbar_had", "qcd_bbbar")]
        expected = np.concatenate([load_model(folder).predict_logits(f) for f in features])
        with np.load(tmp_path / "scores.npz", allow_pickle=False) as scores:
            assert number == len(expected) == len(scores["score"])
            np.testing.assert_allclose(scores["logit"], expected, atol=1e-6)
            np.testing.assert_allclose(scores["score"], 1 / (1 + np.exp(-expected)), atol=1e-6)
            assert np.array_equal(scores["event_number"], np.concatenate([f.event_number for f in features]))
            assert np.array_equal(np.bincount(scores["file_index"]), [len(f) for f in features])


def test_a_model_that_does_not_know_its_features_is_refused(files: list[Path], tmp_path: Path) -> None:
    train(files, tmp_path, variant="gb", options=model_options(BOOSTING), training=training_config(), seed=1)
    assert json.loads((tmp_path / "manifest.json").read_text())["application"] is None
    with pytest.raises(FileError, match="does not say how the features were made"):
        score(tmp_path, [str(DEMO / "ttbar_had.root")], tmp_path / "scores.npz")
