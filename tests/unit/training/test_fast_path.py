"""The fast path trains as Keras does: its own AdamW, TensorFlow's differentiation of the plain layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jetlens.models.arithmetic import fast_path
from jetlens.models.registry import build_model
from jetlens.training import loop, statistics
from jetlens.training.data import Dataset
from jetlens.training.step import make_step, weighted_loss

from .conftest import TINY, model_options, training_config

OPTIONS: dict[str, Any] = {**TINY, "dropout": 0.0, "pooling": "attention", "pair_embedding": [4]}
STEPS, RATE, DECAY, CLIP = 6, 0.003, 0.1, 0.5


@pytest.fixture(scope="module")
def data(files: list[Path]) -> Dataset:
    return Dataset(files, ["jet1"], "training")


def network(data: Dataset) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = build_model(model_options(OPTIONS), data.metadata)
    statistics.fit(model, data)
    return model


def batches(data: Dataset) -> list[Any]:
    return list(data.batches(32, np.random.default_rng(1)))[:STEPS]


def by_keras(data: Dataset) -> list[Any]:
    """Weights after steps of Keras' AdamW along TensorFlow's gradients of the plain layers."""
    model = network(data)
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, epsilon=3e-10, global_clipnorm=CLIP)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if v.name != "kernel"])
    for batch in batches(data):
        with tf.GradientTape() as tape:
            inputs = {t.name: tf.constant(batch.inputs[t.name]) for t in model.inputs}
            logit = model(inputs, training=True)[:, 0]
            each = tf.nn.sigmoid_cross_entropy_with_logits(batch.label, logit)
            loss = tf.reduce_mean(batch.weight * each)
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)
    return [np.asarray(w) for w in model.get_weights()]


@pytest.mark.parametrize("fast", [True, False])
def test_steps_are_those_of_keras_adamw_along_the_plain_gradients(data: Dataset, fast: bool) -> None:
    model = network(data)
    start = [np.asarray(w) for w in model.get_weights()]
    config = training_config(weight_decay=DECAY, gradient_clip=CLIP, fast_path=fast)
    with fast_path(fast):
        step = make_step(model, loop.make_optimizer(model, config), fast)
        for batch in batches(data):
            step(batch, RATE)
        step.finish()
    expected = by_keras(data)
    # all together: where a gradient is as small as ε, Keras' place for ε and rounding decide on single weights
    joined = [
        np.concatenate([np.ravel(w) for w in weights]) for weights in (start, model.get_weights(), expected)
    ]
    before, found, wanted = joined
    moved = np.linalg.norm(wanted - before)
    assert moved > 0.5 * RATE * np.sqrt(len(model.trainable_variables))
    assert np.linalg.norm(found - wanted) < 0.02 * moved  # decay alone makes 0.06


def test_scores_are_those_of_the_plain_path(data: Dataset) -> None:
    model = network(data)
    batch = batches(data)[0]
    with fast_path():
        fast = loop.make_predict(model)(batch.inputs)
    plain = loop.make_predict(model)(batch.inputs)
    np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(fast, plain)  # or the path was not taken


def test_the_loss_is_weighted_binary_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    y, z, w = rng.integers(0, 2, 50), rng.normal(0, 3, 50), rng.random(50)
    p = 1 / (1 + np.exp(-z))
    expected = np.mean(-w * (y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert float(
        weighted_loss(*(keras.ops.convert_to_tensor(a, "float32") for a in (y, z, w)))
    ) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("warmup", [0.0, 1.0, 2.5])
def test_the_learning_rate_is_that_of_keras_schedule(warmup: float) -> None:
    """Linear up to the peak, then half a cosine: 1 at its start, ½ half way, 0 at its end."""
    steps, epochs = 40, 10
    config = training_config(epochs=epochs, warmup_epochs=warmup, learning_rate=0.02)
    rates = np.array([loop.learning_rate(config, step, steps) for step in range(epochs * steps + 1)])
    first = int(np.ceil(warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(0.02, epochs * steps - int(warmup * steps))
    expected = [float(schedule(step - warmup * steps)) for step in range(first, epochs * steps + 1)]
    np.testing.assert_allclose(rates[first:], expected, atol=1e-8)
    half = int(warmup * steps + (epochs - warmup) * steps / 2)
    assert rates[half] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert rates.max() == pytest.approx(0.02)
    np.testing.assert_allclose(rates[:first], 0.02 * np.arange(1, first + 1) / (warmup * steps + 1))
