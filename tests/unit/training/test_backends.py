"""Training on JAX, alone and shared among devices, and on PyTorch where it is installed: in processes of their own."""

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
from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model
from tests.conftest import QUICK_XLA, ROOT

NEEDS_JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model
from jetlens.training import train
from tests.unit.training.conftest import model_options, training_config
files, output, backend = json.loads(sys.argv[1])
train([Path(f) for f in files], Path(output), variant="tiny", options=model_options(),
      training=training_config(backend=backend), seed=3)
np.save(Path(output) / "logits.npy", load_model(output).predict_logits(FeatureSet.read(files[0])))
"""


def start(files: list[Path], output: Path, backend: str, devices: int = 1) -> subprocess.Popen[bytes]:
    """Start a training, on JAX with virtual CPU devices."""
    flags = f"{QUICK_XLA} --xla_force_host_platform_device_count={devices}"
    content = json.dumps([[str(f) for f in files], str(output), backend])
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, content], cwd=ROOT, env=environment)


def result(output: Path) -> tuple[dict[str, Any], Any]:
    """Return the manifest and the logits of the first file."""
    return json.loads((output / "manifest.json").read_text()), np.load(output / "logits.npy")


@NEEDS_JAX
def test_devices_share_batches_and_agree_with_one(files: list[Path], tmp_path: Path) -> None:
    """Four devices take the very steps of one, but for the order of sums."""
    trainings = [start(files, tmp_path / str(devices), "jax", devices) for devices in (1, 4)]
    assert [training.wait() for training in trainings] == [0, 0]
    one, four = result(tmp_path / "1"), result(tmp_path / "4")
    assert [one[0]["devices"], four[0]["devices"]] == [1, 4]
    assert one[0]["backend"] == "jax"
    assert four[0]["validation_loss"] == pytest.approx(one[0]["validation_loss"], abs=1e-4)
    np.testing.assert_allclose(four[1], one[1], atol=1e-3)
    assert one[0]["validation_loss"] < 0.69


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_network_trained_on_pytorch_scores_the_same_on_tensorflow(
    files: list[Path], tmp_path: Path
) -> None:
    assert start(files, tmp_path / "torch", "torch").wait() == 0
    manifest, logits = result(tmp_path / "torch")
    assert manifest["backend"] == "torch"
    assert manifest["validation_loss"] < 0.69
    np.testing.assert_allclose(
        load_model(tmp_path / "torch").predict_logits(FeatureSet.read(files[0])), logits, atol=1e-5
    )


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_a_back_end_that_is_not_installed_is_named() -> None:
    code = "from jetlens.trained import runtime; runtime.configure('torch')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert f"{ConfigError.__name__}: training.backend: 'torch' is not installed" in result.stderr
