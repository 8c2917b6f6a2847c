"""The training loop: AdamW, warm-up and cosine, early stopping on the validation folds, checkpoints."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from jetlens.config.training import TrainingConfig
from jetlens.errors import FileError
from jetlens.features.batches import Batch
from jetlens.trained.predict import Predict, make_predict
from jetlens.training import checkpoint
from jetlens.training.augmentation import augment
from jetlens.training.checkpoint import Progress
from jetlens.training.data import Events
from jetlens.training.hypothesis import Hypotheses
from jetlens.training.metrics import binary_loss, weighted_auc
from jetlens.training.optimizer import FlatAdamW
from jetlens.training.reporter import Reporter
from jetlens.training.step import make_step

PREDICTION_BATCH = 512
HALF_LOSS_SCALE = 1024.0
"""Factor on the loss under mixed_float16, taken out of the gradients again: small ones would vanish otherwise."""


@dataclass(frozen=True)
class Validation:
    """Weighted mean loss and AUC on the validation folds."""

    loss: float
    auc: float


def fit(
    model: keras.Model,
    training: Events,
    validation: Events,
    config: TrainingConfig,
    *,
    seed: int,
    checkpoint_path: Path,
    fingerprint: str,
    reporter: Reporter,
) -> Progress:
    """Train a network; afterwards it holds the weights of its best epoch.

    The learning rate rises linearly over the warm-up and falls as a cosine to zero at the last epoch; the validation
    loss decides on the best epoch. A checkpoint of the same fingerprint is gone on from, to the very same result.

    Args:
        model: the network, with fitted standardisation; trained in place.
        training: events to train on.
        validation: events to stop on.
        config: the loop's settings, the variant's overrides already applied.
        seed: of data order and augmentation.
        checkpoint_path: written after every epoch.
        fingerprint: of settings and data.
        reporter: shows progress.

    Returns:
        What happened, epoch by epoch.

    Raises:
        FileError: if the loss stops being finite; names epoch, batch and feature ranges.
    """
    optimizer = make_optimizer(model, config)
    progress = checkpoint.restore(checkpoint_path, model, optimizer, fingerprint) or Progress()
    step = make_step(model, optimizer, config.fast_path)
    predict = make_predict(model)
    steps_per_epoch = math.ceil(len(training) / config.batch_size)
    hypotheses = Hypotheses.of(training)
    while progress.epoch < config.epochs and progress.epoch - progress.best_epoch < config.patience:
        started = time.perf_counter()
        rng = np.random.default_rng([seed, progress.epoch])
        total = 0.0
        for number, raw in enumerate(training.batches(config.batch_size, rng)):
            drawn = raw if hypotheses is None else hypotheses.redrawn(raw, rng)
            batch = _prepared(drawn, training, config, rng)
            rate = learning_rate(config, progress.steps, steps_per_epoch)
            loss = step(batch, rate)
            if not math.isfinite(loss):
                raise FileError(_explain(loss, progress.epoch + 1, number + 1, batch))
            total += loss * len(batch)
            progress.steps += 1
            reporter.batch(progress.epoch + 1, number + 1, steps_per_epoch, loss)
        step.finish()
        trained = time.perf_counter() - started
        trainable = _swap_in_average(model, optimizer)
        result = evaluate(predict, validation)
        _record(progress, result, total / len(training), rate, len(training) / trained)
        if result.loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = result.loss, progress.epoch
            progress.best_weights = model.get_weights()
        _swap_back(model, trainable)
        progress.seconds += time.perf_counter() - started
        progress.history[-1]["seconds"] = progress.seconds
        checkpoint.save(checkpoint_path, model, optimizer, progress, fingerprint)
        reporter.epoch(progress.history[-1], config.epochs)
    model.set_weights(progress.best_weights)
    return progress


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine to zero at the end of the last epoch."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1.0, config.epochs * steps_per_epoch - warmup)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def evaluate(predict: Predict, data: Events) -> Validation:
    """Return loss and AUC, both with the data set's weights."""
    logits, labels, weights = [], [], []
    for batch in data.batches(PREDICTION_BATCH):
        logits.append(predict(batch.inputs).astype(np.float64))
        labels.append(batch.label)
        weights.append(batch.weight)
    z, y, w = np.concatenate(logits), np.concatenate(labels), np.concatenate(weights).astype(np.float64)
    return Validation(binary_loss(z, y, w), weighted_auc(z, y, w))


def make_optimizer(model: keras.Model, config: TrainingConfig) -> FlatAdamW:
    """Return the optimiser, its state created, for a model's weights."""
    half = any(layer.compute_dtype == "float16" for layer in model.layers)
    optimizer = FlatAdamW(
        config.learning_rate,
        config.weight_decay,
        config.gradient_clip,
        config.ema,
        loss_scale=HALF_LOSS_SCALE if half else None,
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def _prepared(batch: Batch, training: Events, config: TrainingConfig, rng: np.random.Generator) -> Batch:
    inputs = augment(batch.inputs, training.metadata, config.augmentation, rng)
    label = batch.label * np.float32(1.0 - config.label_smoothing) + np.float32(0.5 * config.label_smoothing)
    return Batch(inputs, label, batch.weight)


def _record(progress: Progress, result: Validation, loss: float, rate: float, speed: float) -> None:
    progress.epoch += 1
    progress.history.append(
        {
            "epoch": progress.epoch,
            "training_loss": loss,
            "validation_loss": result.loss,
            "validation_auc": result.auc,
            "learning_rate": rate,
            "events_per_second": speed,
        }
    )


def _swap_in_average(model: keras.Model, optimizer: FlatAdamW) -> list[NDArray[Any]]:
    """Put the moving average in the weights' place, if there is one, and return the weights."""
    if optimizer.average is None:
        return []
    weights = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    optimizer.use_average(model.trainable_variables)
    return weights


def _swap_back(model: keras.Model, weights: list[NDArray[Any]]) -> None:
    for variable, value in zip(model.trainable_variables, weights, strict=False):
        variable.assign(value)


def _explain(loss: float, epoch: int, number: int, batch: Batch) -> str:
    ranges = []
    for name, array in batch.inputs.items():
        if array.dtype.kind == "f":
            ranges.append(f"{name} {array.min():.4g} to {array.max():.4g}")
    return (
        f"training: the loss became {loss} in epoch {epoch}, batch {number}; feature ranges there: "
        f"{'; '.join(ranges)}. Lower training.learning_rate or look for extreme features"
    )
