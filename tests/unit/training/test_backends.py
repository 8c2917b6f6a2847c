"""Training on JAX, alone and shared among devices, where JAX is installed: in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.errors import ConfigError
from tests.conftest import ROOT

NEEDS_JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from jetlens.features.featurefile import read_features
from jetlens.training import load_model, train
from tests.unit.training.conftest import model_options, training_config
files, output = json.loads(sys.argv[1])
train([Path(f) for f in files], Path(output), variant="tiny", options=model_options(),
      training=training_config(backend="jax"), seed=3)
np.save(Path(output) / "logits.npy", load_model(output).predict_logits(read_features(files[0])))
"""


def run(files: list[Path], output: Path, devices: int) -> tuple[dict[str, Any], Any]:
    """Train on virtual CPU devices; return the manifest and the logits of the first file."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    content = json.dumps([[str(f) for f in files], str(output)])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", SCRIPT, content], check=True, cwd=ROOT, env=environment)
    return json.loads((output / "manifest.json").read_text()), np.load(output / "logits.npy")


@NEEDS_JAX
def test_devices_share_batches_and_agree_with_one(files: list[Path], tmp_path: Path) -> None:
    """Four devices take the very steps of one, but for the order of sums."""
    one, four = (run(files, tmp_path / str(devices), devices) for devices in (1, 4))
    assert [one[0]["devices"], four[0]["devices"]] == [1, 4]
    assert one[0]["backend"] == "jax"
    assert four[0]["validation_loss"] == pytest.approx(one[0]["validation_loss"], abs=1e-4)
    np.testing.assert_allclose(four[1], one[1], atol=1e-3)
    assert one[0]["validation_loss"] < 0.69


@pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="jax is installed")
def test_a_back_end_that_is_not_installed_is_named() -> None:
    code = "from jetlens.training import runtime; runtime.configure('jax')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert f"{ConfigError.__name__}: training.backend: 'jax' is not installed" in result.stderr
