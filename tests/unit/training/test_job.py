"""Whole trainings: repeatable to the bit, resumable after a kill, stopped early at the best weights."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.errors import ConfigError, FileError
from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model
from jetlens.training import train
from jetlens.training.data import Dataset
from jetlens.training.job import CHECKPOINT, _Job

from .conftest import TINY, model_options, training_config


@pytest.fixture(scope="module")
def trained(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(files, folder, variant="tiny", options=model_options(), training=training_config(), seed=5)
    return folder


@pytest.fixture(scope="module")
def everything(files: list[Path]) -> FeatureSet:
    return FeatureSet.join([FeatureSet.read(f) for f in files])


def weights(folder: Path) -> list[Any]:
    return [np.asarray(w) for w in load_model(folder).model.get_weights()]


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_folder_holds_the_contract(trained: Path) -> None:
    assert sorted(p.name for p in trained.iterdir()) == ["history.csv", "manifest.json", "model.keras"]
    with (trained / "history.csv").open() as stream:
        history = list(csv.DictReader(stream))
    assert [int(row["epoch"]) for row in history] == [1, 2]
    assert all(np.isfinite(float(value)) for row in history for value in row.values())
    manifest = json.loads((trained / "manifest.json").read_text())
    assert manifest["seed"] == 5
    assert manifest["flops_per_event"] > 2 * manifest["parameters"]
    assert manifest["backend"] == "tensorflow"
    assert set(manifest["features"]["streams"]) == {"jet1"}
    assert manifest["events"]["training"]["signal"] > manifest["events"]["validation"]["signal"] > 50
    features = manifest["features"]
    standardisation = 2 * (len(features["streams"]["jet1"]["features"]) + len(features["event"]["features"]))
    assert manifest["parameters"] == sum(w.size for w in weights(trained)) - standardisation


def test_a_companion_starts_from_its_network(files: list[Path], trained: Path, tmp_path: Path) -> None:
    slow = training_config(epochs=1, learning_rate=1e-9)
    train(files, tmp_path, variant="tiny", options=model_options(), training=slow, seed=5, start=trained)
    for a, b in zip(weights(trained), weights(tmp_path), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (trained, tmp_path)]
    assert [manifest.get("companion", False) for manifest in manifests] == [False, True]
    # it was validated on jets of which some is gone
    assert manifests[1]["validation_loss"] > manifests[0]["validation_loss"]


def test_permuted_labels_teach_nothing_and_are_told(
    files: list[Path], everything: FeatureSet, tmp_path: Path
) -> None:
    train(
        files,
        tmp_path,
        variant="tiny",
        options=model_options(),
        training=training_config(),
        seed=5,
        permuted=True,
    )
    assert json.loads((tmp_path / "manifest.json").read_text())["permuted_labels"] is True
    logits = load_model(tmp_path).predict_logits(everything)
    assert abs(logits[everything.label == 1].mean() - logits[everything.label == 0].mean()) < 0.3


def test_same_seed_same_bits_other_seed_other_bits(files: list[Path], trained: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 5), ("other", 6)):
        train(
            files,
            tmp_path / name,
            variant="tiny",
            options=model_options(),
            training=training_config(),
            seed=seed,
        )
    assert same(weights(tmp_path / "again"), weights(trained))
    assert not same(weights(tmp_path / "other"), weights(trained))


def test_scores_do_not_depend_on_batching_and_learn(trained: Path, everything: FeatureSet) -> None:
    model = load_model(trained)
    logits = model.predict_logits(everything, batch_size=64)
    assert logits.shape == (len(everything),)
    np.testing.assert_allclose(logits, model.predict_logits(everything, batch_size=501), atol=2e-6)
    assert logits[everything.label == 1].mean() > logits[everything.label == 0].mean() + 0.3


def test_standardisation_knows_training_tokens_only(trained: Path, everything: FeatureSet) -> None:
    """Neither padding, nor validation or test events, nor labels enter."""
    metadata = everything.metadata
    chosen = ~np.isin(
        everything.fold, [*metadata.validation_folds, *metadata.test_folds, *metadata.locked_folds]
    )
    tokens = everything.streams["jet1"][chosen][everything.masks["jet1"][chosen]].astype(float)
    mean, scale = (np.asarray(w) for w in load_model(trained).model.get_layer("jet1_standardisation").weights)
    np.testing.assert_allclose(mean, tokens.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scale, tokens.std(axis=0), rtol=1e-4)


def test_best_weights_are_kept(files: list[Path], tmp_path: Path, everything: FeatureSet) -> None:
    """[13] Early stopping on the validation folds, whose loss the kept weights reproduce."""
    config = training_config(epochs=12, patience=1, learning_rate=0.1)
    train(files, tmp_path, variant="tiny", options=model_options(), training=config, seed=1)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["epochs"] < 12
    assert manifest["best_epoch"] == manifest["epochs"] - 1
    with (tmp_path / "history.csv").open() as stream:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(stream)]
    assert min(losses) == losses[manifest["best_epoch"] - 1] == manifest["validation_loss"]
    chosen = np.isin(everything.fold, everything.metadata.validation_folds)
    z, y = load_model(tmp_path).predict_logits(everything)[chosen].astype(float), everything.label[chosen]
    loss = np.logaddexp(0, z) - y * z
    assert 0.5 * (loss[y == 1].mean() + loss[y == 0].mean()) == pytest.approx(min(losses), rel=1e-4)


SCRIPT = """
import json, sys
from pathlib import Path
from jetlens.training import train
from tests.unit.training.conftest import model_options, training_config
files, output, epochs = json.loads(sys.argv[1])
train([Path(f) for f in files], Path(output), variant="tiny", options=model_options(),
      training=training_config(epochs=epochs, augmentation=["rotate_phi"], ema=0.9), seed=9)
"""


def start(files: list[Path], folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    content = json.dumps([[str(f) for f in files], str(folder), epochs])
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, content], cwd=root, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def killed(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``a``: undisturbed; ``b``: killed right after a new checkpoint, twice, then ended; ``c``: what a kill left."""
    folder = tmp_path_factory.mktemp("killed")
    undisturbed = start(files, folder / "a", 12)
    checkpoint = folder / "b" / CHECKPOINT
    for _ in range(2):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = start(files, folder / "b", 12)
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and process.poll() is None:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                break
            time.sleep(0.01)
        assert process.poll() is None, "ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (folder / "b" / "model.keras").exists()
    shutil.copytree(folder / "b", folder / "c")
    assert start(files, folder / "b", 12).wait() == 0
    assert undisturbed.wait() == 0
    return folder


def test_killed_twice_ends_at_the_same_weights(killed: Path) -> None:
    """The rerun goes on, and ends where an undisturbed run ends."""
    with np.load(killed / "c" / CHECKPOINT, allow_pickle=False) as archive:
        assert json.loads(str(archive["state"]))["epoch"] >= 2
    assert same(weights(killed / "a"), weights(killed / "b"))
    assert not (killed / "b" / CHECKPOINT).exists()


def test_a_checkpoint_of_other_settings_is_left(
    files: list[Path], trained: Path, killed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(killed / "c", tmp_path / "c")
    train(files, folder, variant="tiny", options=model_options(), training=training_config(), seed=5)
    assert same(weights(folder), weights(trained))


def refolded(features: FeatureSet) -> FeatureSet:
    """What is left of a change of ``features.split``: the same events, but others to be tested on."""
    changed = features.metadata.model_copy(update={"test_folds": [8, 9], "validation_folds": [7]})
    return replace(features, metadata=changed)


def reweighted(features: FeatureSet) -> FeatureSet:
    return replace(features, weight=features.weight * np.linspace(1, 2, len(features)))


def shifted(features: FeatureSet) -> FeatureSet:
    return replace(features, event=features.event + np.float32(0.5))


def relabelled(features: FeatureSet) -> FeatureSet:
    return replace(features, label=1 - features.label)


def rewritten(files: list[Path], folder: Path, change: Callable[[FeatureSet], FeatureSet]) -> list[Path]:
    """Write the feature files again, changed."""
    paths = [folder / file.name for file in files]
    for path, file in zip(paths, files, strict=True):
        change(FeatureSet.read(file)).write(path)
    return paths


def fingerprint(files: list[Path], rotation: int = 0) -> str:
    data = {role: Dataset(files, ["jet1"], role, rotation=rotation) for role in ("training", "validation")}
    job = _Job(
        Path("none"), "tiny", model_options(), training_config(), 1, rotation, 1, data, None, None, None, None
    )
    return job.fingerprint("float32")


@pytest.mark.parametrize("change", [refolded, reweighted, shifted, relabelled])
def test_a_checkpoint_belongs_to_folds_weights_labels_and_values(
    files: list[Path], tmp_path: Path, change: Callable[[FeatureSet], FeatureSet]
) -> None:
    files = rewritten(files, tmp_path / "a", lambda features: features)
    before = fingerprint(files)
    assert fingerprint(rewritten(files, tmp_path / "b", lambda features: features)) == before
    assert fingerprint(rewritten(files, tmp_path / "c", change)) != before
    assert fingerprint(files, rotation=1) != before


def test_other_test_folds_start_afresh(files: list[Path], killed: Path, tmp_path: Path) -> None:
    """A network that has seen what are test events by now must not be gone on with."""
    folder = shutil.copytree(killed / "c", tmp_path / "c")
    changed = rewritten(files, tmp_path, refolded)
    assert [start(changed, output, 12).wait() for output in (folder, tmp_path / "new")] == [0, 0]
    assert same(weights(folder), weights(tmp_path / "new"))


def test_a_loss_that_is_not_finite_is_explained(files: list[Path], tmp_path: Path) -> None:
    # beyond what a configuration may ask for
    config = training_config(warmup_epochs=0).model_copy(
        update={"learning_rate": 1e30, "gradient_clip": 1e30}
    )
    with pytest.raises(
        FileError, match=r"loss became .* in epoch 1, batch \d+; feature ranges there: .*jet1 .* to "
    ):
        train(files, tmp_path, variant="tiny", options=model_options(), training=config, seed=1)
    assert not (tmp_path / "model.keras").exists()


def test_other_features_are_refused_by_name(trained: Path, everything: FeatureSet) -> None:
    metadata = everything.metadata.model_copy(deep=True)
    metadata.streams["jet1"].features[0] = "delta_phi"
    with pytest.raises(FileError, match="stream 'jet1' has 'delta_phi' for 'delta_eta' where 'tiny'"):
        load_model(trained).predict_logits(replace(everything, metadata=metadata))


def test_variants_may_override_training(files: list[Path], tmp_path: Path) -> None:
    options = model_options(TINY, training={"epochs": 1})
    train(files, tmp_path, variant="tiny", options=options, training=training_config(epochs=7), seed=1)
    assert json.loads((tmp_path / "manifest.json").read_text())["epochs"] == 1


def test_another_back_end_in_one_process_is_refused(files: list[Path], tmp_path: Path, trained: Path) -> None:
    with pytest.raises(ConfigError, match="already runs on 'tensorflow'"):
        train(
            files,
            tmp_path,
            variant="tiny",
            options=model_options(),
            training=training_config(backend="jax"),
            seed=1,
        )


def test_no_model_no_guess(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"holds no trained model \(manifest.json is missing\)"):
        load_model(tmp_path)
