"""TensorBoard's logs hold the numbers of history.csv."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from jetlens.training import train
from jetlens.training.tensorboard import PATTERN, TensorBoardLog

from .conftest import model_options, training_config


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    import tensorflow as tf

    return {
        (value.tag, event.step): value.simple_value
        for path in folder.glob(PATTERN)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def test_logs_repeat_the_history_and_change_nothing(files: list[Path], tmp_path: Path) -> None:
    for name, asked in (("with", True), ("without", False)):
        config = training_config(tensorboard=asked)
        train(files, tmp_path / name, variant="tiny", options=model_options(), training=config, seed=1)
    assert not (tmp_path / "without" / "tensorboard").exists()
    found = scalars(tmp_path / "with" / "tensorboard")
    with (tmp_path / "with" / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(found) == len(rows) * (len(rows[0]) - 1)
    for row in rows:
        for name, value in row.items():
            if name != "epoch":
                assert found[name, int(row["epoch"])] == pytest.approx(float(value), rel=1e-6)
    losses = [
        json.loads((tmp_path / n / "manifest.json").read_text())["validation_loss"]
        for n in ("with", "without")
    ]
    assert losses[0] == losses[1]


def test_a_new_training_removes_old_logs_and_a_resumed_one_adds(tmp_path: Path) -> None:
    for epochs in ((1, 2), (3,)):
        log = TensorBoardLog(tmp_path)
        for epoch in epochs:
            log.epoch({"epoch": epoch, "validation_loss": 0.5 / epoch})
        log.close()
    assert {step for _, step in scalars(tmp_path)} == {1, 2, 3}
    log = TensorBoardLog(tmp_path)
    log.epoch({"epoch": 1, "validation_loss": 0.25})
    log.close()
    assert scalars(tmp_path) == {("validation_loss", 1): 0.25}
