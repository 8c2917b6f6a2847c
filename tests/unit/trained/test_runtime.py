"""Precision: mixed only where asked for or where a GPU is, and harmless to scores."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model, runtime
from jetlens.training import train
from jetlens.training.metrics import weighted_auc

from .conftest import model_options, training_config


def test_auto_is_float32_without_gpu() -> None:
    assert runtime.resolve_precision("auto") == ("mixed_bfloat16" if runtime.gpus() else "float32")
    assert runtime.resolve_precision("mixed_float16") == "mixed_float16"


def test_the_policy_ends_with_its_training() -> None:
    before = keras.config.dtype_policy().name
    with runtime.arithmetic("mixed_bfloat16") as devices:
        assert devices == 1
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before


def test_mixed_precision_trains_and_stays_close(files: list[Path], tmp_path: Path) -> None:
    everything = FeatureSet.join([FeatureSet.read(f) for f in files])
    logits, losses = {}, {}
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        folder = tmp_path / precision
        config = training_config(precision=precision)
        train(files, folder, variant="tiny", options=model_options(pooling="max"), training=config, seed=1)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["precision"] == precision
        losses[precision] = manifest["validation_loss"]
        model = load_model(folder)
        assert {layer.compute_dtype for layer in model.model.layers} == {"float32"}
        logits[precision] = model.predict_logits(everything)
    exact = logits["float32"]
    areas = {k: weighted_auc(z, everything.label, np.ones(len(z))) for k, z in logits.items()}
    for precision in ("mixed_bfloat16", "mixed_float16"):
        assert not np.array_equal(logits[precision], exact)  # it was mixed indeed
        assert losses[precision] == pytest.approx(losses["float32"], abs=0.02)
        assert areas[precision] == pytest.approx(areas["float32"], abs=0.02)
        assert np.corrcoef(logits[precision], exact)[0, 1] > 0.98
