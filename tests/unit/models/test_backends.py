"""A network saved on TensorFlow has the same scores and gradients on the other back ends that are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.features.featurefile import FeatureSet
from jetlens.models.probe import token_activations, token_layers
from tests.conftest import QUICK_XLA

from .conftest import OPTIONS, build, score

DIFFERENTIATED = "cross_attention_three_stream"
SCRIPT = """
import sys
import keras, numpy as np
import jetlens.models.registry
from jetlens.models.probe import model_inputs, token_activations, token_layers
folder, differentiated, *kinds = sys.argv[1:]
x = dict(np.load(f"{folder}/inputs.npz"))
for kind in kinds:
    model = keras.saving.load_model(f"{folder}/{kind}.keras", compile=False)
    found = {"logits": model.predict_on_batch(model_inputs(model, x))[:, 0]}
    if kind == differentiated:
        for layer in token_layers(model).values():
            found[layer] = token_activations(model, layer, x)[2]
    np.savez(f"{folder}/{kind}.npz", **found)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_back_ends_agree(backend: str, events: FeatureSet, arrays: dict[str, Any], tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    models = {kind: build(kind, events) for kind in OPTIONS}
    np.savez(tmp_path / "inputs.npz", **arrays)
    for kind, model in models.items():
        model.save(tmp_path / f"{kind}.keras")
    # gradients of one kind only: JAX takes seconds for each graph, and all are made of the same layers
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), DIFFERENTIATED, *models]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": QUICK_XLA})
    for kind, model in models.items():
        with np.load(tmp_path / f"{kind}.npz", allow_pickle=False) as found:
            np.testing.assert_allclose(found["logits"], score(model, arrays), atol=1e-5)
            for layer in token_layers(model).values() if kind == DIFFERENTIATED else ():
                expected = token_activations(model, layer, arrays)[2]
                np.testing.assert_allclose(
                    found[layer], expected, atol=1e-5 * max(1.0, np.abs(expected).max())
                )
